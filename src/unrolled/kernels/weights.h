// The weights of a cell in the order in which tiles read them, a block of units at a time.

#pragma once

#include "cells.h"
#include "recurrence.h"
#include "team.h"
#include "tile.h"

namespace unrolled {

template <typename S> constexpr Index padded(Index units) { return (units + L<S> - 1) / L<S> * L<S>; }
inline Index ceil_div(Index a, Index b) { return (a + b - 1) / b; }

template <typename S, class Cell> struct Weights {
  Index inputs, units, state;  // what a row brings to a step, what it gets, and how much of the state is multiplied
  Index P, blocks, block_size;
  const S *w_ih, *w_hh, *b_ih, *b_hh;  // as torch.nn has them
  S *w = nullptr, *start = nullptr;    // packed; what a block's sums start from

  Weights(Index inputs, Index units, Index state, const void* w_ih, const void* w_hh, const void* b_ih,
          const void* b_hh)
      : inputs(inputs), units(units), state(state), P(padded<S>(units)),
        blocks(ceil_div(units, Index(L<S>) * Cell::kWide)),
        block_size((inputs + state) * Cell::kColumns * L<S>), w_ih(static_cast<const S*>(w_ih)),
        w_hh(static_cast<const S*>(w_hh)), b_ih(static_cast<const S*>(b_ih)), b_hh(static_cast<const S*>(b_hh)) {}

  std::size_t bytes() const {
    return Workspace::bytes<S>(blocks * block_size) + Workspace::bytes<S>(blocks * kSlots * L<S>);
  }
  void place(Workspace& memory) {
    w = memory.take<S>(blocks * block_size);
    start = memory.take<S>(blocks * kSlots * L<S>);
  }

  void pack_block(Index block) {
    constexpr Index stride = Cell::kColumns * L<S>;
    S* out = w + block * block_size;
    S* first_sums = start + block * kSlots * L<S>;
    for (int j = 0; j < kSlots; ++j) {
      const bool apart = Cell::kColumns == 3 && j >= 2;  // of the GRU's candidate the two biases stay apart
      const Index gate = Cell::kWide == 4 ? 0 : std::min(j, Cell::kColumns - 1);
      const Index unit = block * L<S> * Cell::kWide + (Cell::kWide == 4 ? j * L<S> : 0);
      const Index lanes = std::min<Index>(std::max<Index>(units - unit, 0), L<S>), first = gate * units + unit;
      for (Index lane = 0; lane < L<S>; ++lane) {
        S sum = 0;
        if (b_ih && lane < lanes && !(apart && j == 3)) sum += b_ih[first + lane];
        if (b_hh && lane < lanes && !(apart && j == 2)) sum += b_hh[first + lane];
        first_sums[j * L<S> + lane] = sum;
      }
      if (j >= Cell::kColumns) continue;
      pack(w_ih + first * inputs, lanes, inputs, out + j * L<S>, stride, inputs);
      pack(w_hh + first * state, lanes, state, out + inputs * stride + j * L<S>, stride, state);
    }
  }

  Index sums() const { return blocks * kSlots * L<S>; }  // of a row, before they go through the gates

  // What x brings to `steps` steps of one row: out (steps, sums()), for some blocks of units. A step alone reads all
  // weights for a single row; here those of x are read once for a tile of steps.
  void ahead(const S* const* x, Index steps, Span blocks, S* out) const {
    for (Index block = blocks.first; block < blocks.last; ++block) {
      const Index place = block * kSlots * L<S>;
      const Factors<S> f{x, inputs, x, 0, w + block * block_size, start + place};
      for_each_tile<S, Cell::kColumns>(steps, f, [&](Index first, int count, const S* sums) {
        for (int r = 0; r < count; ++r)
          std::copy_n(sums + r * kSlots * L<S>, kSlots * L<S>, out + (first + r) * this->sums() + place);
      });
    }
  }

  // One step of the first `running` rows of `at`, for some blocks of units; with what `ahead` found of each row,
  // `apart` from one row's to the next one's, or nullptr.
  void step(const Step<S>& at, Index running, Span blocks, const S* ahead = nullptr, Index apart = 0) const {
    if (running < kTogether / 2 && running <= kRows) return step_few(at, running, blocks, ahead, apart);
    for (Index block = blocks.first; block < blocks.last; ++block) {
      const Index unit = block * L<S> * Cell::kWide;
      const Factors<S> f = factors(at, block, ahead, apart);
      for_each_tile<S, Cell::kColumns>(running, f, [&](Index first, int count, const S* sums) {
        for (int r = 0; r < count; ++r)
          Cell::finish(sums + r * kSlots * L<S>, at, first + r, unit, units - unit, P);
      });
    }
  }

 private:
  // The gates of one vector are one long chain, in which each result waits for the one before: where there are few rows,
  // those of several blocks are worked on together.
  static constexpr Index kTogether = 8;

  void step_few(const Step<S>& at, Index running, Span blocks, const S* ahead, Index apart) const {
    alignas(64) S sums[kTogether * kSlots * L<S>];
    const Index tile = running * kSlots * L<S>;
    for (Index block = blocks.first; block < blocks.last; block += kTogether / running) {
      const Index last = std::min(block + kTogether / running, blocks.last);
      for (Index k = block; k < last; ++k)
        tile_of<S, Cell::kColumns>(static_cast<int>(running), factors(at, k, ahead, apart), sums + (k - block) * tile);
      for (Index k = block; k < last; ++k)
        for (Index r = 0; r < running; ++r) {
          const Index unit = k * L<S> * Cell::kWide;
          Cell::finish(sums + (k - block) * tile + r * kSlots * L<S>, at, r, unit, units - unit, P);
        }
    }
  }

  Factors<S> factors(const Step<S>& at, Index block, const S* ahead, Index apart) const {
    const S* weights = w + block * block_size;
    const Index place = block * kSlots * L<S>;
    if (!ahead) return {at.x, inputs, at.h, state, weights, start + place};
    return {at.x, 0, at.h, state, weights + inputs * Cell::kColumns * L<S>, ahead + place, apart};
  }
};

}  // namespace unrolled
