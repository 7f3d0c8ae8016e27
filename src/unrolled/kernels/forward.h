// Forward through time, all rows together, from the longest to the shortest.

#pragma once

#include "weights.h"

namespace unrolled {

template <typename S, class Cell> class Forward {
 public:
  explicit Forward(const Problem& p)
      : p_(p), w_(p.inputs, p.units, p.units, p.w_ih, p.w_hh, p.b_ih, p.b_hh), P_(w_.P),
        shares_(shares(p, w_.blocks * Cell::kColumns * L<S>, w_.blocks, sizeof(S))) {}

  void run() {
    Workspace& memory = workspace();
    const Index table = p_.rows * shares_.threads;
    memory.reserve(order_bytes(p_) + w_.bytes() + Workspace::bytes<S>(p_.rows * P_) + Workspace::bytes<S>(P_) +
                   Workspace::bytes<S>(ahead()) + 6 * Workspace::bytes<void*>(table));
    order_ = order(p_, memory);
    w_.place(memory);
    c_ = memory.take<S>(p_.rows * P_);
    zeros_ = memory.take<S>(P_);
    ahead_ = memory.take<S>(ahead());
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
  static constexpr Index kAhead = 4 * kRows;  // steps whose inputs are multiplied at once where rows are few
  bool few() const { return 2 * p_.rows <= kRows && (shares_.by_units || shares_.threads == 1); }
  Index ahead() const { return few() ? p_.rows * kAhead * w_.sums() : 0; }

  void work(int me, int team, Step<S> at, Index* rows, Barrier& barrier) {
    const bool by_units = shares_.by_units;
    Span mine = share(w_.blocks, me, team);
    for (Index block = mine.first; block < mine.last; ++block) w_.pack_block(block);
    Span prepared = share(p_.rows, me, team);
    for (Index b = prepared.first; b < prepared.last; ++b) prepare(b);
    if (team > 1) barrier.wait(team);

    Index running = 0;  // dealt like cards, so that each thread has long rows and short ones
    for (Index k = by_units ? 0 : me; k < p_.rows; k += by_units ? 1 : team) rows[running++] = order_.row[k];
    const Index all = running;
    if (!by_units) mine = {0, w_.blocks};
    for (Index s = 0; s < p_.steps; ++s) {
      while (running > 0 && order_.length[rows[running - 1]] <= s) --running;
      if (running == 0) break;
      for (Index r = 0; r < running; ++r) point(at, r, rows[r], s);
      if (few() && s % kAhead == 0)
        for (Index r = 0; r < running; ++r) look_ahead(r, rows[r], s, mine);
      w_.step(at, running, mine, few() ? ahead_ + s % kAhead * w_.sums() : nullptr, kAhead * w_.sums());
      if (by_units && team > 1) barrier.wait(team);
    }
    if (by_units)
      for (Index b = prepared.first; b < prepared.last; ++b) conclude(b);
    else
      for (Index r = 0; r < all; ++r) conclude(rows[r]);
  }

  Index time(Index b, Index s) const { return p_.reverse ? order_.length[b] - 1 - s : s; }
  const S* x(Index b, Index t) const { return static_cast<const S*>(p_.x) + b * p_.x_row + t * p_.x_step; }

  void look_ahead(Index r, Index b, Index s, Span blocks) {
    const S* steps[kAhead];
    const Index count = std::min(kAhead, order_.length[b] - s);
    for (Index k = 0; k < count; ++k) steps[k] = x(b, time(b, s + k));
    w_.ahead(steps, count, blocks, ahead_ + r * kAhead * w_.sums());
  }

  void point(Step<S>& at, Index r, Index b, Index s) {
    const Index t = time(b, s);
    at.x[r] = x(b, t);
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

  const Problem& p_;
  Weights<S, Cell> w_;
  Index P_;
  Shares shares_;
  Order order_{};
  S *c_ = nullptr, *zeros_ = nullptr, *ahead_ = nullptr;
};

}  // namespace unrolled
