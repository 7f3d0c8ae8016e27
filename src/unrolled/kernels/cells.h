// One step of each cell: how many vectors a block of its weights multiplies, and what becomes of a tile's sums.

#pragma once

#include "terms.h"

namespace unrolled {

// Where everything of one step lies: an entry for each row that is still running.
template <typename S> struct Step {
  const S **x, **h;
  S **y, **saved, **c;
};

template <typename S> struct Lstm {
  static constexpr int kColumns = 4, kWide = 1, kParts = 5;  // vectors a block, vectors of units a block, saved parts
  static constexpr int kState = 2;                           // parts of the state
  static constexpr bool kMixes = true;                       // whether the state meets weights
  static UNROLLED_INLINE void finish(const S* sums, const Step<S>& at, Index row, Index unit, Index lanes, Index P) {
    Vec<S> i = sigmoid<S>(load(sums)), f = sigmoid<S>(load(sums + L<S>));
    Vec<S> g = tanh<S>(load(sums + 2 * L<S>)), o = sigmoid<S>(load(sums + 3 * L<S>));
    Vec<S> c = f * load(at.c[row] + unit) + i * g;
    store(at.c[row] + unit, c);
    store(at.y[row] + unit, o * tanh<S>(c), lanes);
    if (S* saved = at.saved[row]) {
      store(saved + unit, i);
      store(saved + unit + P, f);
      store(saved + unit + 2 * P, g);
      store(saved + unit + 3 * P, o);
      store(saved + unit + 4 * P, c);
    }
  }
};

template <typename S> struct Gru {
  static constexpr int kColumns = 3, kWide = 1, kParts = 4, kState = 1;
  static constexpr bool kMixes = true;
  static UNROLLED_INLINE void finish(const S* sums, const Step<S>& at, Index row, Index unit, Index lanes, Index P) {
    Vec<S> r = sigmoid<S>(load(sums)), z = sigmoid<S>(load(sums + L<S>)), hn = load(sums + 3 * L<S>);
    Vec<S> n = tanh<S>(load(sums + 2 * L<S>) + r * hn);
    Vec<S> before = load(at.h[row] + unit, lanes);
    store(at.y[row] + unit, n + z * (before - n), lanes);
    if (S* saved = at.saved[row]) {
      store(saved + unit, r);
      store(saved + unit + P, z);
      store(saved + unit + 2 * P, n);
      store(saved + unit + 3 * P, hn);
    }
  }
};

template <typename S, bool Relu> struct Rnn {
  static constexpr int kColumns = 4, kWide = 4, kParts = 0, kState = 1;
  static constexpr bool kMixes = true;
  static UNROLLED_INLINE void finish(const S* sums, const Step<S>& at, Index row, Index unit, Index lanes, Index) {
    for (int j = 0; j < kWide && lanes > 0; ++j, sums += L<S>, unit += L<S>, lanes -= L<S>) {
      Vec<S> a = load(sums);
      store(at.y[row] + unit, Relu ? (a < Vec<S>{} ? Vec<S>{} : a) : tanh<S>(a), lanes);
    }
  }
};

// minGRU and minLSTM; over time they are run by diagonal.cpp.
template <typename S, class Terms> struct Minimal {
  static constexpr int kColumns = Terms::kParts, kWide = 1, kParts = 0, kState = 1;
  static constexpr bool kMixes = false;
  static UNROLLED_INLINE void finish(const S* sums, const Step<S>& at, Index row, Index unit, Index lanes, Index) {
    Vec<S> in[kColumns];
    for (int j = 0; j < kColumns; ++j) in[j] = load(sums + j * L<S>);
    store(at.y[row] + unit, Terms::advance(in, load(at.h[row] + unit)), lanes);
  }
};

// No cell but a map without memory: the head of a network, whose answer is one more product.
template <typename S> struct Linear {
  static constexpr int kColumns = 4, kWide = 4, kParts = 0, kState = 0;
  static constexpr bool kMixes = false;
  static UNROLLED_INLINE void finish(const S* sums, const Step<S>& at, Index row, Index unit, Index lanes, Index) {
    for (int j = 0; j < kWide && lanes > 0; ++j, sums += L<S>, unit += L<S>, lanes -= L<S>)
      store(at.y[row] + unit, load(sums), lanes);
  }
};

}  // namespace unrolled
