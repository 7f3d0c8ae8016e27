// The diagonal recurrence over time on a CPU, forward and backward, and the gates of minGRU and minLSTM with it.
//
// No unit knows another, so that a vector of them goes through time alone, step by step and exact. There is one
// multiply-add for two numbers read, so memory is all that counts: whatever is read is read once and in the order in
// which it lies; gates are computed as they are needed, again on the way back, and never stored.
//
// References:
//   Martin and Cundy 2018, https://arxiv.org/abs/1709.04057, for recurrences that are linear in their state;
//   Feng et al. 2024, https://arxiv.org/abs/2410.01201, for minGRU and minLSTM.

#include "diagonal.h"

#include <atomic>

#include "team.h"
#include "terms.h"

namespace unrolled {
namespace {

Index ceil_div(Index a, Index b) { return (a + b - 1) / b; }

struct Item {
  Index row;
  Span units;
};

// Call work(thread, item) for all rows, dealt to whichever thread is free, the longest first. A row is cut into blocks of
// units only where there are more threads than rows: cut ones are no longer read in the order in which they lie.
template <typename S, typename Work> void deal(const Diagonal& p, const Index* sorted, Work work) {
  constexpr double kWorthwhile = 1 << 16;   // numbers: some ten microseconds
  constexpr Index kLeast = 256 / sizeof(S);  // units of a block: whole vectors, and some lines of the cache
  const bool alone = double(p.rows) * double(p.steps) * double(p.units) < kWorthwhile;
  const Index threads = alone ? 1 : std::max<Index>(1, p.threads);
  const Index width = ceil_div(ceil_div(p.units, ceil_div(threads, p.rows)), kLeast) * kLeast;
  const Index blocks = ceil_div(p.units, width);
  std::atomic<Index> next{0};
  together(int(std::min(threads, p.rows * blocks)), [&](int me, int) {
    for (Index k; (k = next.fetch_add(1, std::memory_order_relaxed)) < p.rows * blocks;) {
      const Index first = k % blocks * width;
      work(me, Item{sorted[k / blocks], {first, std::min(first + width, p.units)}});
    }
  });
}

template <typename S, class Terms> class Pass {
 public:
  explicit Pass(const Diagonal& p) : p_(p) {}

  void forward() {
    prepare(0);
    deal<S>(p_, order_.row, [&](int me, Item item) { forward(item, carry_ + me * kCarried * padded()); });
  }

  void backward() {
    prepare(p_.d_sums ? p_.rows * Terms::kParts * padded() : 0);
    deal<S>(p_, order_.row, [&](int me, Item item) { backward(item, carry_ + me * kCarried * padded()); });
    if (!p_.d_sums) return;
    S* out = static_cast<S*>(p_.d_sums);
    std::fill_n(out, Terms::kParts * p_.units, S(0));
    for (Index b = 0; b < p_.rows; ++b)  // in the order of the rows, whoever has done them
      for (int part = 0; part < Terms::kParts; ++part)
        for (Index unit = 0; unit < p_.units; ++unit) out[part * p_.units + unit] += sums_of(b, part)[unit];
  }

 private:
  Index padded() const { return ceil_div(p_.units, L<S>) * L<S>; }

  S* sums_of(Index b, int part) { return sums_ + (b * Terms::kParts + part) * padded(); }

  void prepare(Index sums) {
    Problem about{};
    about.rows = p_.rows, about.steps = p_.steps, about.lengths = p_.lengths;
    Workspace& memory = workspace();
    const Index carried = std::max(1, int(p_.threads)) * kCarried * padded();
    memory.reserve(order_bytes(about) + Workspace::bytes<S>(carried) + Workspace::bytes<S>(sums));
    order_ = order(about, memory);
    carry_ = memory.take<S>(carried);
    sums_ = memory.take<S>(sums);
  }

  S* at(const Series& series, Index b, Index t) const {
    return static_cast<S*>(series.first) + b * series.row + t * series.step;
  }
  S* part_at(const Series& series, Index b, Index t) const {
    if (!p_.packed) return at(series, b, t);
    return static_cast<S*>(series.first) + (order_.offset[b] + t) * series.step;
  }

  // Vector after vector, from the last one to the first where time runs down through memory: the processor fetches ahead
  // what is read in one direction.
  template <typename Visit> static UNROLLED_INLINE void across(Span units, bool down, Visit visit) {
    const Index count = ceil_div(units.last - units.first, L<S>);
    for (Index k = 0; k < count; ++k) visit(units.first + (down ? count - 1 - k : k) * L<S>);
  }

  // The state goes from step to step in `h`, which stays in the cache, so that y is only written.
  void forward(Item item, S* h) {
    const auto [b, units] = item;
    const Index length = order_.length[b];
    start(h, p_.h_0, item);
    for (Index s = 0; s < length; ++s) {
      const Index t = p_.reverse ? length - 1 - s : s;
      const S* in[Terms::kParts];
      for (int part = 0; part < Terms::kParts; ++part) in[part] = part_at(p_.in[part], b, t);
      S* y = at(p_.y, b, t);
      across(units, p_.reverse, [&](Index unit) {
        const Index lanes = p_.units - unit;
        Vec<S> given[Terms::kParts];
        for (int part = 0; part < Terms::kParts; ++part) given[part] = load(in[part] + unit, lanes);
        const Vec<S> next = Terms::advance(given, load(h + unit));
        store(h + unit, next);
        store(y + unit, next, lanes);
      });
    }
    std::copy(h + units.first, h + units.last, static_cast<S*>(p_.h_n) + b * p_.units + units.first);
    for (Index t = length; t < p_.steps; ++t) clear(at(p_.y, b, t), units);
  }

  void backward(Item item, S* d) {
    const auto [b, units] = item;
    const Index length = order_.length[b];
    start(d, p_.d_h_n, item);
    S* recent = d + padded();
    if (p_.d_sums)
      for (int part = 0; part < Terms::kParts; ++part)
        for (S* sums : {recent + part * padded(), sums_of(b, part)}) start(sums, nullptr, item);
    for (Index s = length - 1; s >= 0; --s) {
      const Index t = p_.reverse ? length - 1 - s : s;
      const S *in[Terms::kParts], *d_y = p_.d_y.first ? at(p_.d_y, b, t) : nullptr;
      S* d_in[Terms::kParts];
      for (int part = 0; part < Terms::kParts; ++part) {
        in[part] = part_at(p_.in[part], b, t);
        d_in[part] = part_at(p_.d_in[part], b, t);
      }
      const S* before = s > 0 ? at(p_.y, b, p_.reverse ? t + 1 : t - 1)
                        : p_.h_0 ? static_cast<const S*>(p_.h_0) + b * p_.units : nullptr;
      across(units, !p_.reverse, [&](Index unit) {
        const Index lanes = p_.units - unit;
        Vec<S> given[Terms::kParts], found[Terms::kParts];
        for (int part = 0; part < Terms::kParts; ++part) given[part] = load(in[part] + unit, lanes);
        Vec<S> gradient = load(d + unit);
        if (d_y) gradient += load(d_y + unit, lanes);
        store(d + unit, Terms::retreat(given, before ? load(before + unit, lanes) : Vec<S>{}, gradient, found));
        for (int part = 0; part < Terms::kParts; ++part) store(d_in[part] + unit, found[part], lanes);
        if (!p_.d_sums) return;
        for (int part = 0; part < Terms::kParts; ++part) {
          S* sum = recent + part * padded() + unit;
          store(sum, load(sum) + found[part]);
        }
      });
      if (p_.d_sums && s % kRecent == 0) flush(item, recent);
    }
    std::copy(d + units.first, d + units.last, static_cast<S*>(p_.d_h_0) + b * p_.units + units.first);
    for (Index t = length; t < p_.steps && !p_.packed; ++t)
      for (int part = 0; part < Terms::kParts; ++part) clear(at(p_.d_in[part], b, t), units);
  }

  static void clear(S* to, Span units) { std::fill(to + units.first, to + units.last, S(0)); }

  void start(S* to, const void* from, Item item) const {
    const auto [b, units] = item;
    clear(to, {units.first, ceil_div(units.last, L<S>) * L<S>});
    if (!from) return;
    const S* row = static_cast<const S*>(from) + b * p_.units;
    std::copy(row + units.first, row + units.last, to + units.first);
  }

  void flush(Item item, S* recent) {
    for (int part = 0; part < Terms::kParts; ++part)
      for (Index unit = item.units.first; unit < item.units.last; ++unit) {
        sums_of(item.row, part)[unit] += recent[part * padded() + unit];
        recent[part * padded() + unit] = 0;
      }
  }

  static constexpr Index kRecent = 32;                   // steps that are summed up on their own: rounding stays small
  static constexpr Index kCarried = 1 + Terms::kParts;  // of a thread: the state or its gradient, and those sums
  const Diagonal& p_;
  Order order_{};
  S *carry_ = nullptr, *sums_ = nullptr;
};

template <typename S, bool Back, class Terms> int run(const Diagonal& p) {
  Pass<S, Terms> pass(p);
  Back ? pass.backward() : pass.forward();
  return 0;
}

template <typename S, bool Back> int run(const Diagonal* p) {
  for (Index b = 0; p->lengths && b < p->rows; ++b)
    if (p->lengths[b] < 0 || p->lengths[b] > p->steps) return 2;
  try {
    switch (p->terms) {
      case kScan: return run<S, Back, ScanTerms<S>>(*p);
      case kMinGru: return run<S, Back, MinGruTerms<S>>(*p);
      case kMinLstm: return run<S, Back, MinLstmTerms<S>>(*p);
      default: return 3;
    }
  } catch (const std::bad_alloc&) {
    return 1;
  }
}

}  // namespace
}  // namespace unrolled

int unrolled_diagonal_forward_float(const Diagonal* p) { return unrolled::run<float, false>(p); }
int unrolled_diagonal_forward_double(const Diagonal* p) { return unrolled::run<double, false>(p); }
int unrolled_diagonal_backward_float(const Diagonal* p) { return unrolled::run<float, true>(p); }
int unrolled_diagonal_backward_double(const Diagonal* p) { return unrolled::run<double, true>(p); }
