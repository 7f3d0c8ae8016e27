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

}  // namespace
}  // namespace unrolled

int unrolled_forward_float(const Problem* p) { return unrolled::forward<float>(p); }
int unrolled_forward_double(const Problem* p) { return unrolled::forward<double>(p); }
int unrolled_backward_float(const Problem* p) { return unrolled::backward<float>(p); }
int unrolled_backward_double(const Problem* p) { return unrolled::backward<double>(p); }

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
