// The product at the heart of every step: a few rows by four vectors of columns, held in registers.
//
// Weights are packed in the order in which the loop reads them: per block [K][J][L], so that one pass over K streams
// through memory once. Axes: R rows of a tile, J vectors of weights a step of K, K depth.

#pragma once

#include <algorithm>

#include "vectors.h"

namespace unrolled {

constexpr int kRows = VECTOR_BYTES == 64 ? 6 : VECTOR_BYTES == 32 ? 3 : 2;  // of a tile: what the registers hold
constexpr int kSlots = 4;                                                  // vectors that a row of a tile sums up

// sums[r][slot(j)] += rows[r][k] · w[k][j]: slot(j) = j, but the last of the J goes to the slot `Last`.
template <typename S, int R, int J, int Last>
UNROLLED_INLINE void accumulate(Vec<S> (&sums)[R][kSlots], const S* const* rows, Index depth, const S* w) {
  const S* a[R];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) a[r] = rows[r];
  for (Index k = 0; k < depth; ++k, w += J * L<S>) {
    Vec<S> factors[R];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) factors[r] = splat(a[r][k]);
#pragma GCC unroll 4
    for (int j = 0; j < J; ++j) {
      Vec<S> weights = load(w + j * L<S>);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) sums[r][j == J - 1 ? Last : j] += factors[r] * weights;
    }
  }
}

// What a tile reads: each row's x and h, the block's weights (those of x, then those of h) and what the sums start from.
template <typename S> struct Factors {
  const S* const* x;
  Index inputs;
  const S* const* h;
  Index units;
  const S* w;
  const S* start;  // (4, L), or nullptr for zeros
  Index start_row = 0;  // from one row's start to the next one's; 0: one for all
};

// Out of line: inlined into the gates, the sums would be spilled from their registers.
template <typename S, int R, int J> __attribute__((noinline)) void tile(const Factors<S>& f, S* out) {
  Vec<S> sums[R][kSlots];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (int j = 0; j < kSlots; ++j) sums[r][j] = f.start ? load(f.start + r * f.start_row + j * L<S>) : Vec<S>{};
  // Of three, the candidate of a GRU: its input part and its state part are wanted apart.
  accumulate<S, R, J, J - 1>(sums, f.x, f.inputs, f.w);
  accumulate<S, R, J, 3>(sums, f.h, f.units, f.w + f.inputs * J * L<S>);
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (int j = 0; j < kSlots; ++j) store(out + (r * kSlots + j) * L<S>, sums[r][j]);
}

template <typename S, int J, int R = kRows> UNROLLED_INLINE void tile_of(int rows, const Factors<S>& f, S* out) {
  if constexpr (R > 1) {
    if (rows < R) return tile_of<S, J, R - 1>(rows, f, out);
  }
  tile<S, R, J>(f, out);
}

// Call finish(first row, rows, sums (rows, 4, L)) for every tile of `count` rows. Tiles are of nearly equal height: two
// of four rows are faster than one of six and one of two.
template <typename S, int J, typename Finish>
UNROLLED_INLINE void for_each_tile(Index count, Factors<S> f, Finish finish) {
  alignas(64) S sums[kRows * kSlots * L<S>];
  Index tiles = (count + kRows - 1) / kRows;
  for (Index k = 0, row = 0; k < tiles; ++k) {
    int rows = static_cast<int>((count + k) / tiles);
    tile_of<S, J>(rows, f, sums);
    finish(row, rows, sums);
    row += rows;
    f.x += rows;
    f.h += rows;
    f.start += rows * f.start_row;
  }
}

// One round of turning L vectors of L lanes into their columns: blocks of s × s change places across the diagonal.
template <typename S, int s> UNROLLED_INLINE void exchange(Vec<S> (&v)[L<S>]) {
#if !defined(__clang__)
  typename Lanes<S>::N low{}, high{};
#pragma GCC unroll 16
  for (int c = 0; c < L<S>; ++c) {
    low[c] = c & s ? L<S> + c - s : c;
    high[c] = c & s ? L<S> + c : c + s;
  }
#pragma GCC unroll 16
  for (int i = 0; i < L<S>; ++i)
    if (!(i & s)) {
      Vec<S> a = v[i], b = v[i + s];
      v[i] = __builtin_shuffle(a, b, low);
      v[i + s] = __builtin_shuffle(a, b, high);
    }
  if constexpr (s > 1) exchange<S, s / 2>(v);
#endif
}

// L lines, `apart`, turned round: out[k][lane] = w[lane][k], 0 beyond the last line.
template <typename S> inline void pack(const S* w, Index lanes, Index depth, S* out, Index stride, Index apart) {
  Index k = 0;
#if !defined(__clang__)
  for (; lanes == L<S> && k + L<S> <= depth; k += L<S>) {
    Vec<S> v[L<S>];
#pragma GCC unroll 16
    for (int lane = 0; lane < L<S>; ++lane) v[lane] = load(w + lane * apart + k);
    exchange<S, L<S> / 2>(v);
#pragma GCC unroll 16
    for (int i = 0; i < L<S>; ++i) store(out + (k + i) * stride, v[i]);
  }
#endif
  for (; k < depth; ++k)
    for (Index lane = 0; lane < L<S>; ++lane) out[k * stride + lane] = lane < lanes ? w[lane * apart + k] : S(0);
}

}  // namespace unrolled
