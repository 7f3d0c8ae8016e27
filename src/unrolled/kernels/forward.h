// Forward through time. A cell is how many vectors a block multiplies and what becomes of a tile's sums.

#pragma once

#include "team.h"
#include "tile.h"

namespace unrolled {

// Where everything of one step lies: an entry for each row that is still running.
template <typename S> struct Step {
  const S **x, **h;
  S **y, **saved, **c;
};

template <typename S> struct Lstm {
  static constexpr int kColumns = 4, kWide = 1, kParts = 5;  // vectors a block, vectors of units a block, saved parts
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
  static constexpr int kColumns = 3, kWide = 1, kParts = 4;
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
  static constexpr int kColumns = 4, kWide = 4, kParts = 0;
  static UNROLLED_INLINE void finish(const S* sums, const Step<S>& at, Index row, Index unit, Index lanes, Index) {
    for (int j = 0; j < kWide && lanes > 0; ++j, sums += L<S>, unit += L<S>, lanes -= L<S>) {
      Vec<S> a = load(sums);
      store(at.y[row] + unit, Relu ? (a < Vec<S>{} ? Vec<S>{} : a) : tanh<S>(a), lanes);
    }
  }
};

template <typename S> constexpr Index padded(Index units) { return (units + L<S> - 1) / L<S> * L<S>; }
inline Index ceil_div(Index a, Index b) { return (a + b - 1) / b; }

template <typename S, class Cell> class Forward {
 public:
  explicit Forward(const Problem& p)
      : p_(p), P_(padded<S>(p.units)), blocks_(ceil_div(p.units, Index(L<S>) * Cell::kWide)),
        weights_((p.inputs + p.units) * Cell::kColumns * L<S>),
        shares_(shares(p, blocks_ * Cell::kColumns * L<S>, blocks_, sizeof(S))) {}

  void run() {
    Workspace& memory = workspace();
    const Index table = p_.rows * shares_.threads;
    memory.reserve(order_bytes(p_) + Workspace::bytes<S>(blocks_ * weights_) +
                   Workspace::bytes<S>(blocks_ * kSlots * L<S>) + Workspace::bytes<S>(p_.rows * P_) +
                   Workspace::bytes<S>(P_) + 6 * Workspace::bytes<void*>(table));
    order_ = order(p_, memory);
    w_ = memory.take<S>(blocks_ * weights_);
    start_ = memory.take<S>(blocks_ * kSlots * L<S>);
    c_ = memory.take<S>(p_.rows * P_);
    zeros_ = memory.take<S>(P_);
    std::fill_n(zeros_, P_, S(0));
    Step<S> tables{memory.take<const S*>(table), memory.take<const S*>(table), memory.take<S*>(table),
                   memory.take<S*>(table), memory.take<S*>(table)};
    Index* rows = memory.take<Index>(table);
    Barrier barrier;
    together(shares_.threads, [&](int me, int team) {
      Index k = me * p_.rows;
      work(me, team, {tables.x + k, tables.h + k, tables.y + k, tables.saved + k, tables.c + k}, rows + k, barrier);
    });
  }

 private:
  void work(int me, int team, Step<S> at, Index* rows, Barrier& barrier) {
    const bool by_units = shares_.by_units;
    Span mine = share(blocks_, me, team);
    for (Index block = mine.first; block < mine.last; ++block) pack_block(block);
    Span prepared = share(p_.rows, me, team);
    for (Index b = prepared.first; b < prepared.last; ++b) prepare(b);
    if (team > 1) barrier.wait(team);

    Index running = 0;  // dealt like cards, so that each thread has long rows and short ones
    for (Index k = by_units ? 0 : me; k < p_.rows; k += by_units ? 1 : team) rows[running++] = order_.row[k];
    const Index all = running;
    if (!by_units) mine = {0, blocks_};
    for (Index s = 0; s < p_.steps; ++s) {
      while (running > 0 && order_.length[rows[running - 1]] <= s) --running;
      if (running == 0) break;
      for (Index r = 0; r < running; ++r) point(at, r, rows[r], s);
      for (Index block = mine.first; block < mine.last; ++block) step(at, running, block);
      if (by_units && team > 1) barrier.wait(team);
    }
    if (by_units)
      for (Index b = prepared.first; b < prepared.last; ++b) conclude(b);
    else
      for (Index r = 0; r < all; ++r) conclude(rows[r]);
  }

  void step(const Step<S>& at, Index running, Index block) {
    const Index unit = block * L<S> * Cell::kWide;
    for_each_tile<S, Cell::kColumns>(
        running, at.x, p_.inputs, at.h, p_.units, w_ + block * weights_, start_ + block * kSlots * L<S>,
        [&](Index first, int count, const S* sums) {
          for (int r = 0; r < count; ++r)
            Cell::finish(sums + r * kSlots * L<S>, at, first + r, unit, p_.units - unit, P_);
        });
  }

  void point(Step<S>& at, Index r, Index b, Index s) {
    const Index t = p_.reverse ? order_.length[b] - 1 - s : s;
    at.x[r] = static_cast<const S*>(p_.x) + b * p_.x_row + t * p_.x_step;
    at.h[r] = s > 0 ? at.y[r] : p_.h_0 ? static_cast<const S*>(p_.h_0) + b * p_.units : zeros_;
    at.y[r] = static_cast<S*>(p_.y) + b * p_.y_row + t * p_.y_step;
    at.c[r] = c_ + b * P_;
    at.saved[r] = p_.saved && Cell::kParts
                      ? static_cast<S*>(p_.saved) + (order_.offset[b] + t * order_.stride) * Cell::kParts * P_
                      : nullptr;
  }

  void prepare(Index b) {
    std::fill_n(c_ + b * P_, P_, S(0));
    if (p_.c_0) std::copy_n(static_cast<const S*>(p_.c_0) + b * p_.units, p_.units, c_ + b * P_);
    for (Index t = order_.length[b]; t < p_.steps; ++t)
      std::fill_n(static_cast<S*>(p_.y) + b * p_.y_row + t * p_.y_step, p_.units, S(0));
  }

  void conclude(Index b) {
    const Index length = order_.length[b], last = p_.reverse ? 0 : length - 1;
    const S* h = length ? static_cast<const S*>(p_.y) + b * p_.y_row + last * p_.y_step
                 : p_.h_0 ? static_cast<const S*>(p_.h_0) + b * p_.units : zeros_;
    std::copy_n(h, p_.units, static_cast<S*>(p_.h_n) + b * p_.units);
    if (p_.c_n) std::copy_n(c_ + b * P_, p_.units, static_cast<S*>(p_.c_n) + b * p_.units);
  }

  void pack_block(Index block) {
    constexpr Index stride = Cell::kColumns * L<S>;
    const S *b_ih = static_cast<const S*>(p_.b_ih), *b_hh = static_cast<const S*>(p_.b_hh);
    S* w = w_ + block * weights_;
    S* start = start_ + block * kSlots * L<S>;
    for (int j = 0; j < kSlots; ++j) {
      const bool apart = Cell::kColumns == 3 && j >= 2;  // of the GRU's candidate the two biases stay apart
      const Index gate = Cell::kWide == 4 ? 0 : std::min(j, Cell::kColumns - 1);
      const Index unit = block * L<S> * Cell::kWide + (Cell::kWide == 4 ? j * L<S> : 0);
      const Index lanes = std::min<Index>(std::max<Index>(p_.units - unit, 0), L<S>), first = gate * p_.units + unit;
      for (Index lane = 0; lane < L<S>; ++lane) {
        S sum = 0;
        if (b_ih && lane < lanes && !(apart && j == 3)) sum += b_ih[first + lane];
        if (b_hh && lane < lanes && !(apart && j == 2)) sum += b_hh[first + lane];
        start[j * L<S> + lane] = sum;
      }
      if (j >= Cell::kColumns) continue;
      pack(static_cast<const S*>(p_.w_ih) + first * p_.inputs, lanes, p_.inputs, w + j * L<S>, stride);
      pack(static_cast<const S*>(p_.w_hh) + first * p_.units, lanes, p_.units, w + p_.inputs * stride + j * L<S>,
           stride);
    }
  }

  const Problem& p_;
  Index P_, blocks_, weights_;
  Shares shares_;
  Order order_{};
  S *w_ = nullptr, *start_ = nullptr, *c_ = nullptr, *zeros_ = nullptr;
};

}  // namespace unrolled
