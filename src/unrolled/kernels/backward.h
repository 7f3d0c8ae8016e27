// Back through time: the gradients of the gates' sums, step by step from the last; those of the weights and of x are
// products over all steps and come after (gradients.h).

#pragma once

#include "gradients.h"

namespace unrolled {

// Where everything of one step lies. `dh` and `dc` are what comes from the step after; entries as in `Step`.
template <typename S> struct BackStep {
  const S **y, **h, **saved, **c, **d_y;
  S **d_gates, **dh, **dc;
};

// Each reads all that was saved before it writes: `d_gates` may take its place.
// Each gives the gradients of the sums of one vector of units; what it leaves in dh goes to h_{t-1} past the weights.
// kX and kH: of each gate in d_gates its place in W_ih and in W_hh, or -1; kOfX of them, the first ones, meet x.
template <typename S> struct LstmBack {
  static constexpr int kGates = 4, kParts = 5, kFirst = 0, kBehind = 4;  // columns of d_gates that meet W_hh
  static constexpr int kOfX = 4, kX[] = {0, 1, 2, 3}, kH[] = {0, 1, 2, 3};
  static UNROLLED_INLINE void differentiate(const BackStep<S>& at, Index row, Index unit, Index lanes, Index P) {
    const S* saved = at.saved[row] + unit;
    const Vec<S> one = splat<S>(1), i = load(saved), f = load(saved + P), g = load(saved + 2 * P),
                 o = load(saved + 3 * P), tanh_c = tanh<S>(load(saved + 4 * P)),
                 before = load(at.c[row] + unit, lanes);
    Vec<S> dh = load(at.dh[row] + unit);
    if (at.d_y) dh += load(at.d_y[row] + unit, lanes);
    const Vec<S> dc = load(at.dc[row] + unit) + dh * o * (one - tanh_c * tanh_c);
    store(at.dc[row] + unit, dc * f);
    S* d = at.d_gates[row] + unit;
    store(d, dc * g * i * (one - i));
    store(d + P, dc * before * f * (one - f));
    store(d + 2 * P, dc * i * (one - g * g));
    store(d + 3 * P, dh * tanh_c * o * (one - o));
    store(at.dh[row] + unit, Vec<S>{});
  }
};

template <typename S> struct GruBack {
  static constexpr int kGates = 4, kParts = 4, kFirst = 1, kBehind = 3;
  static constexpr int kOfX = 3, kX[] = {2, 0, 1, -1}, kH[] = {-1, 0, 1, 2};
  static UNROLLED_INLINE void differentiate(const BackStep<S>& at, Index row, Index unit, Index lanes, Index P) {
    const S* saved = at.saved[row] + unit;
    const Vec<S> one = splat<S>(1), r = load(saved), z = load(saved + P), n = load(saved + 2 * P),
                 hn = load(saved + 3 * P), before = load(at.h[row] + unit, lanes);
    Vec<S> dh = load(at.dh[row] + unit);
    if (at.d_y) dh += load(at.d_y[row] + unit, lanes);
    const Vec<S> dn = dh * (one - z) * (one - n * n);
    S* d = at.d_gates[row] + unit;
    store(d, dn);
    store(d + P, dn * hn * r * (one - r));
    store(d + 2 * P, dh * (before - n) * z * (one - z));
    store(d + 3 * P, dn * r);
    store(at.dh[row] + unit, dh * z);
  }
};

template <typename S, bool Relu> struct RnnBack {
  static constexpr int kGates = 1, kParts = 0, kFirst = 0, kBehind = 1;
  static constexpr int kOfX = 1, kX[] = {0}, kH[] = {0};
  static UNROLLED_INLINE void differentiate(const BackStep<S>& at, Index row, Index unit, Index lanes, Index) {
    const Vec<S> y = load(at.y[row] + unit, lanes);
    Vec<S> dh = load(at.dh[row] + unit);
    if (at.d_y) dh += load(at.d_y[row] + unit, lanes);
    store(at.d_gates[row] + unit, Relu ? (y > Vec<S>{} ? dh : Vec<S>{}) : dh * (splat<S>(1) - y * y));
    store(at.dh[row] + unit, Vec<S>{});
  }
};

template <typename S, class Cell> class Backward {
 public:
  explicit Backward(const Problem& p)
      : p_(p), gradients_(p), P_(padded<S>(p.units)), depth_(Cell::kBehind * P_), blocks_(ceil_div(P_, kTileWide<S>)),
        weights_(depth_ * kTileWide<S>),
        shares_(shares(p, Cell::kBehind * P_, blocks_, sizeof(S))) {}

  void run() {
    Workspace& memory = workspace();
    const Index table = p_.rows * shares_.threads;
    memory.reserve(order_bytes(p_) + Workspace::bytes<S>(blocks_ * weights_) +
                   2 * Workspace::bytes<S>(p_.rows * P_) + Workspace::bytes<S>(P_) +
                   10 * Workspace::bytes<void*>(table) + gradients_.bytes());
    order_ = order(p_, memory);
    w_ = memory.take<S>(blocks_ * weights_);
    dh_ = memory.take<S>(p_.rows * P_);
    dc_ = memory.take<S>(p_.rows * P_);
    zeros_ = memory.take<S>(P_);
    std::fill_n(zeros_, P_, S(0));
    BackStep<S> tables{};
    for (const S*** place : {&tables.y, &tables.h, &tables.saved, &tables.c, &tables.d_y})
      *place = memory.take<const S*>(table);
    for (S*** place : {&tables.d_gates, &tables.dh, &tables.dc}) *place = memory.take<S*>(table);
    const S** behind = memory.take<const S*>(table);
    Index* rows = memory.take<Index>(table);
    Barrier barrier;
    together(shares_.threads, [&](int me, int team) {
      Index k = me * p_.rows;
      BackStep<S> at{tables.y + k, tables.h + k, tables.saved + k, tables.c + k, p_.d_y ? tables.d_y + k : nullptr,
                     tables.d_gates + k, tables.dh + k, tables.dc + k};
      work(me, team, at, behind + k, rows + k, barrier);
    });
    gradients_.run(order_, zeros_, memory);
  }

 private:
  void work(int me, int team, BackStep<S> at, const S** behind, Index* rows, Barrier& barrier) {
    const bool by_units = shares_.by_units;
    Span mine = share(blocks_, me, team), prepared = share(p_.rows, me, team);
    for (Index block = mine.first; block < mine.last; ++block) pack_block(block);
    for (Index b = prepared.first; b < prepared.last; ++b) prepare(b);
    if (team > 1) barrier.wait(team);

    Index all = 0, running = 0;
    for (Index k = by_units ? 0 : me; k < p_.rows; k += by_units ? 1 : team) rows[all++] = order_.row[k];
    if (!by_units) mine = {0, blocks_};
    for (Index s = p_.steps - 1; s >= 0; --s) {
      while (running < all && order_.length[rows[running]] > s) ++running;
      if (running == 0) continue;
      for (Index r = 0; r < running; ++r) behind[r] = point(at, r, rows[r], s);
      const Index first = mine.first * kTileWide<S>, last = std::min(mine.last * kTileWide<S>, P_);
      for (Index r = 0; r < running; ++r)
        for (Index unit = first; unit < last; unit += L<S>) Cell::differentiate(at, r, unit, p_.units - unit, P_);
      if (by_units && team > 1) barrier.wait(team);
      for (Index block = mine.first; block < mine.last; ++block) step(at, behind, running, block);
    }
    // Each unit's gradients were last written by the thread that owns it, and by rows each thread owns them all.
    const Index first = mine.first * kTileWide<S>, last = std::min(mine.last * kTileWide<S>, p_.units);
    for (Index r = 0; r < all && first < last; ++r) {
      const Index b = rows[r];
      if (p_.d_h_0) std::copy_n(dh_ + b * P_ + first, last - first, static_cast<S*>(p_.d_h_0) + b * p_.units + first);
      if (p_.d_c_0) std::copy_n(dc_ + b * P_ + first, last - first, static_cast<S*>(p_.d_c_0) + b * p_.units + first);
    }
  }

  // dh_{t-1} = (what passes the weights by) + d_gates_t · W_hh
  void step(const BackStep<S>& at, const S** behind, Index running, Index block) {
    const Index unit = block * kTileWide<S>, vectors = std::min<Index>(kSlots, (P_ - unit) / L<S>);
    const Factors<S> f{behind, 0, behind, depth_, w_ + block * weights_, nullptr};
    for_each_tile<S, kSlots>(running, f, [&](Index first, int count, const S* sums) {
      for (int r = 0; r < count; ++r)
        for (Index j = 0; j < vectors; ++j) {
          S* dh = at.dh[first + r] + unit + j * L<S>;
          store(dh, load(dh) + load(sums + (r * kSlots + j) * L<S>));
        }
    });
  }

  // Where step s of row b lies; returned: the columns of d_gates that meet W_hh.
  const S* point(BackStep<S>& at, Index r, Index b, Index s) {
    const Index length = order_.length[b], t = p_.reverse ? length - 1 - s : s;
    const Index place = order_.offset[b] + t * order_.stride, step_back = (p_.reverse ? 1 : -1) * order_.stride;
    const S *y = static_cast<const S*>(p_.y) + b * p_.y_row, *saved = static_cast<const S*>(p_.saved);
    at.y[r] = y + t * p_.y_step;
    at.h[r] = before(p_, order_, b, t, zeros_);
    at.saved[r] = saved + place * Cell::kParts * P_;
    at.c[r] = s > 0 ? saved + (place + step_back) * Cell::kParts * P_ + 4 * P_
              : p_.c_0 ? static_cast<const S*>(p_.c_0) + b * p_.units : zeros_;
    if (at.d_y) at.d_y[r] = static_cast<const S*>(p_.d_y) + b * p_.d_y_row + t * p_.d_y_step;
    at.dh[r] = dh_ + b * P_;
    at.dc[r] = dc_ + b * P_;
    at.d_gates[r] = static_cast<S*>(p_.d_gates) + place * p_.d_gates_step;
    return at.d_gates[r] + Cell::kFirst * P_;
  }

  void prepare(Index b) {
    std::fill_n(dh_ + b * P_, P_, S(0));
    std::fill_n(dc_ + b * P_, P_, S(0));
    if (p_.d_h_n) std::copy_n(static_cast<const S*>(p_.d_h_n) + b * p_.units, p_.units, dh_ + b * P_);
    if (p_.d_c_n) std::copy_n(static_cast<const S*>(p_.d_c_n) + b * p_.units, p_.units, dc_ + b * P_);
  }

  // [k][4][L], k over gates and their P units: row k of W_hh as it lies, zeros where a gate or the row is padded.
  void pack_block(Index block) {
    const Index unit = block * kTileWide<S>, wide = std::max<Index>(0, std::min<Index>(kTileWide<S>, p_.units - unit));
    S* out = w_ + block * weights_;
    for (Index gate = 0; gate < Cell::kBehind; ++gate)
      for (Index k = 0; k < P_; ++k, out += kTileWide<S>) {
        const bool real = k < p_.units;
        if (real) std::copy_n(static_cast<const S*>(p_.w_hh) + (gate * p_.units + k) * p_.units + unit, wide, out);
        std::fill(out + (real ? wide : 0), out + kTileWide<S>, S(0));
      }
  }

  const Problem& p_;
  Gradients<S, Cell> gradients_;
  Index P_, depth_, blocks_, weights_;
  Shares shares_;
  Order order_{};
  S *w_ = nullptr, *dh_ = nullptr, *dc_ = nullptr, *zeros_ = nullptr;
};

}  // namespace unrolled
