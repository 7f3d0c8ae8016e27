// The plain C interface: one structure and two functions for each number type, so that one library serves every
// version of Python and torch. Axes: B rows, T steps, I inputs, H units, G gates, P = H rounded up to a whole vector.

#pragma once

#include <cstdint>

#pragma GCC visibility push(default)
extern "C" {

enum UnrolledCell : std::int32_t { kTanh = 0, kRelu = 1, kGru = 2, kLstm = 3 };
// Of an UnrolledPart also: a linear map, and the cells that over time are an UnrolledTerms.
enum UnrolledStep : std::int32_t { kLinear = 4, kMinimalGru = 5, kMinimalLstm = 6 };

// Strides count numbers; the last axis is contiguous. "May be null" stands for zeros, or for an answer not wanted.
// Step s of row b is t = s, or with `reverse` t = lengths[b] - 1 - s. `saved` and `d_gates` hold real steps alone: row
// after row with lengths; without, (B, T) or, `time_major`, (T, B).
struct Problem {
  std::int32_t cell, reverse, threads, time_major;
  std::int64_t rows, steps, inputs, units;
  const std::int64_t* lengths;                  // (B,) 0 … T; may be null: every step is real
  const void *x, *w_ih, *w_hh, *b_ih, *b_hh;    // x (B, T, I), w (G·H, I or H), b (G·H,), which may be null
  std::int64_t x_row, x_step;
  const void *h_0, *c_0;                        // (B, H); may be null
  void* y;                                      // (B, T, H); 0 beyond a row's length
  std::int64_t y_row, y_step;
  void *h_n, *c_n;                              // (B, H)
  void* saved;                                  // (steps, parts · P): LSTM i f g o c, GRU r z n hn; may be null
  const void *d_y, *d_h_n, *d_c_n;              // (B, T, H), (B, H), (B, H); may be null
  std::int64_t d_y_row, d_y_step;
  void* d_gates;                                // (steps, G·P); of the GRU (steps, 4·P): n r z n·r; may be `saved`
  std::int64_t d_gates_step;                    // from one step to the next
  void *d_b_ih, *d_b_hh;                        // as b_ih and b_hh; both or neither may be null
  void *d_x, *d_w_ih, *d_w_hh;                  // as x, w_ih and w_hh; each may be null
  std::int64_t d_x_row, d_x_step;
  void *d_h_0, *d_c_0;                          // (B, H)
};

// 0; 1: out of memory; 2: a length beyond 0 … T; 3: no such cell.
int unrolled_forward_float(const Problem* p);
int unrolled_forward_double(const Problem* p);
int unrolled_backward_float(const Problem* p);
int unrolled_backward_double(const Problem* p);

// A cell or a head of a stack, which is packed once and then takes one step at a time.
struct UnrolledPart {
  std::int32_t cell, unused;                    // an UnrolledCell or UnrolledStep
  std::int64_t inputs, units;
  const void *w_ih, *w_hh, *b_ih, *b_hh;        // as in Problem; w_hh and b_hh of an UnrolledStep are null
};

// A stack's address, or null: out of memory. It copies the weights. Any number of threads may step one stack.
void* unrolled_pack_float(const UnrolledPart* parts, std::int32_t count);
void* unrolled_pack_double(const UnrolledPart* parts, std::int32_t count);
void unrolled_discard_float(void* stack);
void unrolled_discard_double(void* stack);
// How many numbers a row's state has.
std::int64_t unrolled_state_float(const void* stack);
std::int64_t unrolled_state_double(const void* stack);
// One step of a single row; of rows that lie at equal distances; of rows that lie anywhere. 0; 1: out of memory.
int unrolled_row_float(const void* stack, const float* x, float* state, float* y, int threads);
int unrolled_row_double(const void* stack, const double* x, double* state, double* y, int threads);
int unrolled_step_float(const void* stack, std::int64_t rows, const float* x, std::int64_t x_row, float* state,
                        float* y, std::int64_t y_row, int threads);
int unrolled_step_double(const void* stack, std::int64_t rows, const double* x, std::int64_t x_row, double* state,
                         double* y, std::int64_t y_row, int threads);
int unrolled_steps_float(const void* stack, std::int64_t rows, const float* const* x, float* const* state,
                         float* const* y, int threads);
int unrolled_steps_double(const void* stack, std::int64_t rows, const double* const* x, double* const* state,
                          double* const* y, int threads);

int unrolled_vector_bytes();
// Of this processor: 64 AVX-512, 32 AVX2 with FMA, 16 what every processor of its kind has.
int unrolled_widest();
}
#pragma GCC visibility pop
