// Who does what: the threads' shares, the rows in order of their lengths, and the memory they work in.

#pragma once

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>
#include <numeric>

#include "recurrence.h"
#include "vectors.h"

namespace unrolled {

// Memory that is laid out anew for each call and kept for the next one: fresh pages would cost more than a small problem.
class Workspace {
 public:
  Workspace() = default;
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  ~Workspace() { std::free(memory_); }
  void reserve(std::size_t bytes) {
    used_ = 0;
    if (bytes <= size_) return;
    std::free(memory_);
    size_ = 0;
    memory_ = static_cast<char*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64));
    if (!memory_) throw std::bad_alloc();
    size_ = bytes;
  }
  template <typename T> static std::size_t bytes(Index count) { return (count * sizeof(T) + 63) / 64 * 64; }
  template <typename T> T* take(Index count) {
    char* place = memory_ + used_;
    used_ += bytes<T>(count);
    return reinterpret_cast<T*>(place);
  }

 private:
  char* memory_ = nullptr;
  std::size_t size_ = 0, used_ = 0;
};

// The calling thread's.
inline Workspace& workspace() {
  static thread_local Workspace mine;
  return mine;
}

// All threads of a team meet here after each step. They spin, since a step is a matter of microseconds; after a while
// they sleep, for there may be more threads than cores, and the one that is waited for may need this very core.
class Barrier {
 public:
  void wait(int team) {
    const unsigned round = round_.load(std::memory_order_acquire);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == team) {
      arrived_.store(0, std::memory_order_relaxed);
      round_.fetch_add(1, std::memory_order_release);
      round_.notify_all();
      return;
    }
    for (int spins = 0; round_.load(std::memory_order_acquire) == round; ++spins) {
      if (spins > 2000) round_.wait(round, std::memory_order_acquire);
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    }
  }

 private:
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<unsigned> round_{0};
};

// How a problem is shared out. By rows: no thread waits for another. By units (few rows, or weights that overflow one
// core's cache): each thread has all rows and its own columns, and they meet after each step.
struct Shares {
  int threads;
  bool by_units;
};
constexpr double kWorthwhile = 1e6;  // multiply-adds, some ten microseconds: less is not worth a second thread
inline Shares shares(const Problem& p, Index columns, Index blocks, std::size_t scalar) {
  constexpr double kWeightBytes = 3.5e6;
  constexpr double kEach = 1.2e4;          // by units, of a thread at each step: less is nothing beside the meeting
  double weights = double(columns) * double(p.inputs + p.units);
  int threads = weights * double(p.rows) * double(p.steps) < kWorthwhile ? 1 : std::max(1, int(p.threads));
  bool by_units = threads > 1 && blocks > 1 && (p.rows < 8 || weights * double(scalar) > kWeightBytes);
  if (by_units) threads = int(std::clamp(weights * double(p.rows) / kEach, 1.0, double(threads)));
  return {int(std::min<Index>(threads, std::max<Index>(1, by_units ? blocks : p.rows))), by_units};
}

// The share of member `me` of `team` in `count` things: [first, last).
struct Span {
  Index first, last;
};
inline Span share(Index count, int me, int team) { return {count * me / team, count * (me + 1) / team}; }

// Run work(me, team) on so many threads. A single one needs no OpenMP, whose pool does not survive a fork.
template <typename Work> inline void together(int threads, Work work) {
  if (threads <= 1) return work(0, 1);
#pragma omp parallel num_threads(threads)
  work(omp_get_thread_num(), omp_get_num_threads());
}

// Rows from the longest to the shortest, so that those still running are always the first ones; and where each row's
// steps lie in a buffer that holds real steps alone.
struct Order {
  Index* row;     // (B,) the rows, sorted
  Index* length;  // (B,) by row
  Index* offset;  // (B,) by row: step t of row b is at offset[b] + t · stride
  Index stride;
};
inline std::size_t order_bytes(const Problem& p) { return 3 * Workspace::bytes<Index>(p.rows); }
inline Order order(const Problem& p, Workspace& memory) {
  Order o{memory.take<Index>(p.rows), memory.take<Index>(p.rows), memory.take<Index>(p.rows), 1};
  bool packed = p.lengths != nullptr;
  if (!packed && p.time_major) o.stride = p.rows;
  for (Index b = 0, sum = 0; b < p.rows; ++b) {
    o.row[b] = b;
    o.length[b] = packed ? p.lengths[b] : p.steps;
    o.offset[b] = o.stride == 1 ? sum : b;
    sum += o.length[b];
  }
  if (packed) std::stable_sort(o.row, o.row + p.rows, [&](Index a, Index b) { return o.length[a] > o.length[b]; });
  return o;
}

}  // namespace unrolled
