// A stack of cells, and perhaps a linear head, packed once and run one step at a time: what a live session needs.
//
// A row's state is one line of numbers: for each cell its h, then of an LSTM its c, each rounded up to whole vectors.
// Rows are given by address, so that sessions kept apart can be stepped together without copying their states.

#pragma once

#include <memory>
#include <vector>

#include "weights.h"

namespace unrolled {

// Rows of one step, by address.
template <typename S> struct Rows {
  Index count;
  const S* const* x;
  S* const* state;
  S* const* y;
};

template <typename S> class Part {
 public:
  virtual ~Part() = default;
  virtual Index blocks() const = 0;
  virtual Index weights() const = 0;
  virtual Index width() const = 0;  // of the answer, rounded up to whole vectors
  virtual Index state() const = 0;  // numbers of a row's state
  virtual void step(const Step<S>& at, Index rows, Span blocks) const = 0;
  virtual Span units(Span blocks) const = 0;
};

template <typename S, class Cell> class PartOf final : public Part<S> {
 public:
  explicit PartOf(const UnrolledPart& p)
      : w_(p.inputs, p.units, Cell::kMixes ? p.units : 0, p.w_ih, p.w_hh, p.b_ih, p.b_hh) {
    memory_.reserve(w_.bytes());
    w_.place(memory_);
    for (Index block = 0; block < w_.blocks; ++block) w_.pack_block(block);
  }
  Index blocks() const override { return w_.blocks; }
  Index weights() const override { return w_.blocks * w_.block_size; }
  Index width() const override { return w_.P; }
  Index state() const override { return Cell::kState * w_.P; }
  Span units(Span blocks) const override {
    constexpr Index wide = L<S> * Cell::kWide;
    return {blocks.first * wide, std::min(blocks.last * wide, w_.units)};
  }
  void step(const Step<S>& at, Index rows, Span blocks) const override { w_.step(at, rows, blocks); }

 private:
  Weights<S, Cell> w_;
  Workspace memory_;
};

template <typename S> class Stack {
 public:
  Stack(const UnrolledPart* parts, int count) {
    for (int k = 0; k < count; ++k) {
      parts_.push_back(made(parts[k]));
      state_ += parts_.back()->state();
      weights_ += parts_.back()->weights();
      widest_ = std::max(widest_, parts_.back()->width());
    }
  }

  Index state() const { return state_; }

  void step(const Rows<S>& rows, int threads) const {
    constexpr double kEach = 1.6e5;  // multiply-adds, some five microseconds: to wake a thread for less costs more
    threads = int(std::clamp(weights_ * double(rows.count) / kEach, 1.0, double(std::max(1, threads))));
    Workspace& memory = workspace();
    const Index tables = 5 * Index(parts_.size()) * rows.count;
    memory.reserve(Workspace::bytes<Step<S>>(parts_.size()) + Workspace::bytes<S*>(tables) +
                   parts_.size() * Workspace::bytes<S>(rows.count * widest_));
    Step<S>* steps = memory.take<Step<S>>(parts_.size());
    S** places = memory.take<S*>(tables);
    Index before = 0;
    for (std::size_t k = 0; k < parts_.size(); ++k) {
      S* scratch = memory.take<S>(rows.count * widest_);
      S** at = places + 5 * k * rows.count;
      Step<S>& step = steps[k];
      step = {const_cast<const S**>(at), const_cast<const S**>(at + rows.count), at + 2 * rows.count,
              at + 3 * rows.count, at + 4 * rows.count};
      for (Index r = 0; r < rows.count; ++r) {
        step.x[r] = k ? steps[k - 1].y[r] : rows.x[r];
        step.h[r] = rows.state[r] + before;
        step.y[r] = k + 1 == parts_.size() ? rows.y[r] : scratch + r * widest_;
        step.saved[r] = nullptr;
        step.c[r] = rows.state[r] + before + parts_[k]->width();
      }
      before += parts_[k]->state();
    }
    Barrier barrier;
    together(threads, [&](int me, int team) {
      for (std::size_t k = 0; k < parts_.size(); ++k) {
        const Span mine = share(parts_[k]->blocks(), me, team);
        parts_[k]->step(steps[k], rows.count, mine);
        if (team > 1) barrier.wait(team);  // every thread has read the state before, and the next part reads all of y
        const Span units = parts_[k]->units(mine);
        if (parts_[k]->state() && units.first < units.last)
          for (Index r = 0; r < rows.count; ++r)
            std::copy(steps[k].y[r] + units.first, steps[k].y[r] + units.last,
                      const_cast<S*>(steps[k].h[r]) + units.first);
      }
    });
  }

 private:
  static std::unique_ptr<Part<S>> made(const UnrolledPart& p) {
    switch (p.cell) {
      case kTanh: return std::make_unique<PartOf<S, Rnn<S, false>>>(p);
      case kRelu: return std::make_unique<PartOf<S, Rnn<S, true>>>(p);
      case kGru: return std::make_unique<PartOf<S, Gru<S>>>(p);
      case kLstm: return std::make_unique<PartOf<S, Lstm<S>>>(p);
      case kMinimalGru: return std::make_unique<PartOf<S, Minimal<S, MinGruTerms<S>>>>(p);
      case kMinimalLstm: return std::make_unique<PartOf<S, Minimal<S, MinLstmTerms<S>>>>(p);
      default: return std::make_unique<PartOf<S, Linear<S>>>(p);
    }
  }

  std::vector<std::unique_ptr<Part<S>>> parts_;
  Index state_ = 0, weights_ = 0, widest_ = 0;
};

}  // namespace unrolled
