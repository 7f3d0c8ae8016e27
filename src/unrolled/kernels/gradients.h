// After the way back through time: the gradients of the weights and of x.
//
//   dW_ih = Σ d_t x_tᵀ        dW_hh = Σ d_t h_{t-1}ᵀ        db = Σ d_t        dx_t = W_ihᵀ d_t
//
// d_t is a line of `d_gates`, and so many lines go together as the caches hold. The products are made of the tiles that a
// step is made of (tile.h): a tile's rows are units of d, turned round, or whole lines of it. Each number is summed up by
// one thread, in an order that does not depend on how many there are.

#pragma once

#include "weights.h"

namespace unrolled {

template <typename S> constexpr Index kTileWide = kSlots * L<S>;  // columns of a panel: what a row of a tile sums up

// The state before step t of row b.
template <typename S> inline const S* before(const Problem& p, const Order& order, Index b, Index t, const S* zeros) {
  const Index first = p.reverse ? order.length[b] - 1 : 0;
  if (t == first) return p.h_0 ? static_cast<const S*>(p.h_0) + b * p.units : zeros;
  return static_cast<const S*>(p.y) + b * p.y_row + (p.reverse ? t + 1 : t - 1) * p.y_step;
}

template <typename S, class Cell> class Gradients {
 public:
  explicit Gradients(const Problem& p) : p_(p), P_(padded<S>(p.units)), depth_(Cell::kOfX * P_) {
    for (Index b = 0; b < p.rows; ++b) lines_ += p.lengths ? p.lengths[b] : p.steps;
    const double work = double(lines_) * double(Cell::kGates * P_) * double(2 * p.inputs + p.units);
    threads_ = work < kWorthwhile ? 1 : std::max(1, int(p.threads));
    of_x_ = p.d_w_ih ? ceil_div(p.inputs, kTileWide<S>) : 0;
    of_h_ = p.d_w_hh ? ceil_div(p.units, kTileWide<S>) : 0;
    of_w_ = p.d_x ? ceil_div(p.inputs, kTileWide<S>) : 0;
  }

  std::size_t bytes() const {
    return Workspace::bytes<S>(Cell::kGates * P_ * kLines) + Workspace::bytes<S>(2 * (of_x_ + of_h_) * kPanel) +
           Workspace::bytes<S>(of_w_ * depth_ * kTileWide<S>);
  }

  void run(const Order& order, const S* zeros, Workspace& memory) {
    order_ = order;
    zeros_ = zeros;
    turned_ = memory.take<S>(Cell::kGates * P_ * kLines);
    beside_ = memory.take<S>(2 * (of_x_ + of_h_) * kPanel);
    weights_ = memory.take<S>(of_w_ * depth_ * kTileWide<S>);
    Barrier barrier;
    together(threads_, [&](int me, int team) {
      if (of_w_) of_inputs(me, team, barrier);
      if (of_x_ + of_h_ || p_.d_b_ih) of_weights(me, team, barrier);
    });
  }

 private:
  static constexpr Index kLines = 256;                    // of d, x and h that are multiplied at once
  static constexpr Index kPanel = kLines * kTileWide<S>;  // numbers of x or h in one panel of so many lines
  static constexpr Index kChunk = 16 * kRows;             // lines whose dx is found while they are in the cache

  // Each thread has some units of d; x and h are laid beside them by all, into one half of the memory while the other
  // is still read, so that they meet once for so many lines.
  void of_weights(int me, int team, Barrier& barrier) {
    const Span mine = share(P_ / L<S> * Cell::kGates, me, team);
    Index first = 0, half = 0;
    do {
      const Index count = std::min(kLines, lines_ - first);
      S* panels = beside_ + half * (of_x_ + of_h_) * kPanel;
      const Span laid = share(count, me, team);
      for (Index k = laid.first; k < laid.last; ++k) {
        const Place at = place(first + k);
        lay(x(at), p_.inputs, of_x_, panels + k * kTileWide<S>, kPanel);
        lay(before(p_, order_, at.b, at.t, zeros_), p_.units, of_h_, panels + of_x_ * kPanel + k * kTileWide<S>, kPanel);
      }
      for (Index k = 0; k < count; k += L<S>) turn(mine, first, k, std::min<Index>(L<S>, count - k));
      if (team > 1) barrier.wait(team);
      for (Index block = mine.first; block < mine.last; ++block) multiply(block, count, panels, first == 0);
      first += count;
      half = 1 - half;
    } while (first < lines_);
  }

  // A block of units: all gates of some units follow one another, so that threads with equally many do equally much.
  static Index gate(Index block) { return block % Cell::kGates; }
  static Index unit(Index block) { return block / Cell::kGates * L<S>; }
  Index column(Index block) const { return gate(block) * P_ + unit(block); }

  // Some lines, turned round; gate by gate, so that each is read from its beginning to its end.
  void turn(Span blocks, Index first, Index k, Index count) {
    const S* from = static_cast<const S*>(p_.d_gates) + (first + k) * p_.d_gates_step;
    for (Index start = blocks.first; start < std::min(blocks.first + Cell::kGates, blocks.last); ++start)
      for (Index block = start; block < blocks.last; block += Cell::kGates)
        pack(from + column(block), count, L<S>, turned_ + column(block) * kLines + k, kLines, p_.d_gates_step);
  }

  void multiply(Index block, Index count, const S* panels, bool fresh) {
    const S* rows[L<S>];
    const Index real = std::min<Index>(L<S>, p_.units - unit(block));
    for (Index r = 0; r < real; ++r) rows[r] = turned_ + (column(block) + r) * kLines;
    const auto add = [&](void* sums, Index line, Index width, Index many, const S* panel) {
      S* out = static_cast<S*>(sums) + (line * p_.units + unit(block)) * width;
      product(rows, real, count, panel, kPanel, many, width, [&](Index r) { return out + r * width; }, fresh);
    };
    if (p_.d_b_ih) sum_up(block, rows, real, count, fresh);
    if (Cell::kX[gate(block)] >= 0) add(p_.d_w_ih, Cell::kX[gate(block)], p_.inputs, of_x_, panels);
    if (Cell::kH[gate(block)] >= 0) add(p_.d_w_hh, Cell::kH[gate(block)], p_.units, of_h_, panels + of_x_ * kPanel);
  }

  void sum_up(Index block, const S* const* rows, Index real, Index count, bool fresh) {
    const auto add = [&](void* sums, Index line, Index r, S sum) {
      S& place = static_cast<S*>(sums)[line * p_.units + unit(block) + r];
      place = fresh ? sum : place + sum;
    };
    for (Index r = 0; r < real; ++r) {
      Vec<S> sums{};
      for (Index k = 0; k < count; k += L<S>) sums += load(rows[r] + k);  // zeros behind the last line
      S sum = 0;
      for (int lane = 0; lane < L<S>; ++lane) sum += sums[lane];
      if (Cell::kX[gate(block)] >= 0) add(p_.d_b_ih, Cell::kX[gate(block)], r, sum);
      if (Cell::kH[gate(block)] >= 0) add(p_.d_b_hh, Cell::kH[gate(block)], r, sum);
    }
  }

  void of_inputs(int me, int team, Barrier& barrier) {
    const Span laid = share(depth_, me, team), emptied = share(p_.rows, me, team), mine = share(lines_, me, team);
    for (Index k = laid.first; k < laid.last; ++k) {
      const Index line = Cell::kX[k / P_] * p_.units + k % P_;
      const bool real = k % P_ < p_.units;
      lay(static_cast<const S*>(p_.w_ih) + (real ? line * p_.inputs : 0), real ? p_.inputs : 0, of_w_,
          weights_ + k * kTileWide<S>, depth_ * kTileWide<S>);
    }
    for (Index b = emptied.first; b < emptied.last; ++b)
      for (Index t = order_.length[b]; t < p_.steps; ++t) std::fill_n(d_x({b, t}), p_.inputs, S(0));
    if (team > 1) barrier.wait(team);
    const S* rows[kChunk];
    S* outs[kChunk];
    for (Index first = mine.first; first < mine.last; first += kChunk) {
      const Index count = std::min(kChunk, mine.last - first);
      for (Index r = 0; r < count; ++r) {
        rows[r] = static_cast<const S*>(p_.d_gates) + (first + r) * p_.d_gates_step;
        outs[r] = d_x(place(first + r));
      }
      const auto out = [&](Index r) { return outs[r]; };
      product(rows, count, depth_, weights_, depth_ * kTileWide<S>, of_w_, p_.inputs, out, true);
    }
  }

  // rows (count, depth) times panels (many of (depth, kWide), `apart`): what out(r) points at, `width` numbers of it.
  template <typename Out>
  void product(const S* const* rows, Index count, Index depth, const S* panels, Index apart, Index many, Index width,
               Out out, bool fresh) {
    for (Index j = 0; j < many; ++j) {
      const Factors<S> f{rows, depth, rows, 0, panels + j * apart, nullptr};
      for_each_tile<S, kSlots>(count, f, [&](Index first, int tall, const S* sums) {
        for (int r = 0; r < tall; ++r) {
          S* place = out(first + r) + j * kTileWide<S>;
          Index lanes = width - j * kTileWide<S>;
          for (int v = 0; v < kSlots && lanes > 0; ++v, lanes -= L<S>, place += L<S>) {
            const Vec<S> sum = load(sums + (r * kSlots + v) * L<S>);
            store(place, fresh ? sum : sum + load(place, lanes), lanes);
          }
        }
      });
    }
  }

  // A line in panels, zeros behind its end.
  static void lay(const S* line, Index width, Index many, S* out, Index apart) {
    for (Index j = 0; j < many; ++j, out += apart) {
      const Index wide = std::clamp<Index>(width - j * kTileWide<S>, 0, kTileWide<S>);
      std::copy_n(line + (wide ? j * kTileWide<S> : 0), wide, out);
      std::fill(out + wide, out + kTileWide<S>, S(0));
    }
  }

  // Whose step a line of d_gates is.
  struct Place {
    Index b, t;
  };
  Place place(Index line) const {
    if (order_.stride != 1) return {line % p_.rows, line / p_.rows};
    const Index b = std::upper_bound(order_.offset, order_.offset + p_.rows, line) - order_.offset - 1;
    return {b, line - order_.offset[b]};
  }
  const S* x(Place at) const { return static_cast<const S*>(p_.x) + at.b * p_.x_row + at.t * p_.x_step; }
  S* d_x(Place at) const { return static_cast<S*>(p_.d_x) + at.b * p_.d_x_row + at.t * p_.d_x_step; }

  const Problem& p_;
  Index P_, depth_, lines_ = 0;
  Index of_x_, of_h_, of_w_;  // panels of x and h, and of W_ih
  int threads_;
  Order order_{};
  const S* zeros_ = nullptr;
  S *turned_ = nullptr, *beside_ = nullptr, *weights_ = nullptr;
};

}  // namespace unrolled
