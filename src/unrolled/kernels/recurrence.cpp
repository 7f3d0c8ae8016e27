// Recurrence over time on a CPU: RNN, GRU and LSTM, forward and backward through time.
//
// Compiled once for each vector width (VECTOR_BYTES = 16, 32, 64). What makes it fast: [x; h] · [W_x; W_h] is one loop
// for a tile of a few rows by four vectors of columns, held in registers (tile.h); the weights are packed in the order
// in which that loop reads them; the gates of a tile are computed while its sums are still in the cache (forward.h,
// backward.h); threads share out the rows, which need no barrier, or else the columns (team.h).
//
// References:
//   Goto and van de Geijn 2008, Anatomy of high-performance matrix multiplication,
//   https://doi.org/10.1145/1356052.1356053, for the tile and the packing;
//   Appleyard, Kociský and Blunsom 2016, https://arxiv.org/abs/1604.01946, for what a recurrence can share over time.

#include "recurrence.h"

#include "backward.h"
#include "forward.h"
#include "stack.h"

namespace unrolled {
namespace {

bool lengths_fit(const Problem& p) {
  for (Index b = 0; p.lengths && b < p.rows; ++b)
    if (p.lengths[b] < 0 || p.lengths[b] > p.steps) return false;
  return true;
}

template <template <typename, class> class Pass, typename S, class Tanh, class Relu, class Gates, class Memory>
int run(const Problem* p) {
  if (!lengths_fit(*p)) return 2;
  try {
    switch (p->cell) {
      case kTanh: Pass<S, Tanh>(*p).run(); return 0;
      case kRelu: Pass<S, Relu>(*p).run(); return 0;
      case kGru: Pass<S, Gates>(*p).run(); return 0;
      case kLstm: Pass<S, Memory>(*p).run(); return 0;
      default: return 3;
    }
  } catch (const std::bad_alloc&) {
    return 1;
  }
}

template <typename S> int forward(const Problem* p) {
  return run<Forward, S, Rnn<S, false>, Rnn<S, true>, Gru<S>, Lstm<S>>(p);
}
template <typename S> int backward(const Problem* p) {
  return run<Backward, S, RnnBack<S, false>, RnnBack<S, true>, GruBack<S>, LstmBack<S>>(p);
}

template <typename S> void* packed(const UnrolledPart* parts, int count) {
  try {
    return new Stack<S>(parts, count);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

template <typename S> int steps(const void* stack, Rows<S> rows, int threads) {
  try {
    static_cast<const Stack<S>*>(stack)->step(rows, threads);
    return 0;
  } catch (const std::bad_alloc&) {
    return 1;
  }
}

template <typename S>
int step(const void* stack, Index count, const S* x, Index x_row, S* state, S* y, Index y_row, int threads) {
  try {
    const Index width = static_cast<const Stack<S>*>(stack)->state();
    std::vector<const S*> xs(count);
    std::vector<S*> states(count), ys(count);
    for (Index r = 0; r < count; ++r) {
      xs[r] = x + r * x_row;
      states[r] = state + r * width;
      ys[r] = y + r * y_row;
    }
    return steps<S>(stack, {count, xs.data(), states.data(), ys.data()}, threads);
  } catch (const std::bad_alloc&) {
    return 1;
  }
}

}  // namespace
}  // namespace unrolled

int unrolled_forward_float(const Problem* p) { return unrolled::forward<float>(p); }
int unrolled_forward_double(const Problem* p) { return unrolled::forward<double>(p); }
int unrolled_backward_float(const Problem* p) { return unrolled::backward<float>(p); }
int unrolled_backward_double(const Problem* p) { return unrolled::backward<double>(p); }

void* unrolled_pack_float(const UnrolledPart* parts, std::int32_t count) { return unrolled::packed<float>(parts, count); }
void unrolled_discard_float(void* stack) { delete static_cast<unrolled::Stack<float>*>(stack); }
std::int64_t unrolled_state_float(const void* stack) { return static_cast<const unrolled::Stack<float>*>(stack)->state(); }
int unrolled_row_float(const void* stack, const float* x, float* state, float* y, int threads) {
  return unrolled::steps<float>(stack, {1, &x, &state, &y}, threads);
}
int unrolled_step_float(const void* stack, std::int64_t rows, const float* x, std::int64_t x_row, float* state, float* y,
                        std::int64_t y_row, int threads) {
  return unrolled::step<float>(stack, rows, x, x_row, state, y, y_row, threads);
}
int unrolled_steps_float(const void* stack, std::int64_t rows, const float* const* x, float* const* state, float* const* y,
                         int threads) {
  return unrolled::steps<float>(stack, {rows, x, state, y}, threads);
}

void* unrolled_pack_double(const UnrolledPart* parts, std::int32_t count) { return unrolled::packed<double>(parts, count); }
void unrolled_discard_double(void* stack) { delete static_cast<unrolled::Stack<double>*>(stack); }
std::int64_t unrolled_state_double(const void* stack) { return static_cast<const unrolled::Stack<double>*>(stack)->state(); }
int unrolled_row_double(const void* stack, const double* x, double* state, double* y, int threads) {
  return unrolled::steps<double>(stack, {1, &x, &state, &y}, threads);
}
int unrolled_step_double(const void* stack, std::int64_t rows, const double* x, std::int64_t x_row, double* state, double* y,
                        std::int64_t y_row, int threads) {
  return unrolled::step<double>(stack, rows, x, x_row, state, y, y_row, threads);
}
int unrolled_steps_double(const void* stack, std::int64_t rows, const double* const* x, double* const* state, double* const* y,
                         int threads) {
  return unrolled::steps<double>(stack, {rows, x, state, y}, threads);
}

int unrolled_vector_bytes() { return VECTOR_BYTES; }

int unrolled_widest() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl"))
    return 64;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return 32;
#endif
  return 16;
}
