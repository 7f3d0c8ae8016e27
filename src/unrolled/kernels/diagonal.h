// The plain C interface of the diagonal recurrence h_t = a_t ⊙ h_{t-1} + b_t, where no unit knows another: given a and
// b themselves, or the sums of the gates that they are made of. Axes: B rows, T steps, H units.

#pragma once

#include <cstdint>

#pragma GCC visibility push(default)
extern "C" {

// What the parts of `in` are: a, b; or minGRU's z, h̃; or minLSTM's f, i, h̃; gates before their sigmoids.
enum UnrolledTerms : std::int32_t { kScan = 0, kMinGru = 1, kMinLstm = 2 };

// (B, T, H) numbers; strides count numbers; the last axis is contiguous.
struct Series {
  void* first;
  std::int64_t row, step;
};

// "May be null" stands for zeros, or for an answer not wanted. Step s of row b is t = s, or with `reverse`
// t = lengths[b] - 1 - s. What `in` holds beyond a row's length is never read.
struct Diagonal {
  std::int32_t terms, reverse, threads, packed;  // packed: `in` and `d_in` hold real steps alone, row after row
  std::int64_t rows, steps, units;
  const std::int64_t* lengths;                   // (B,) 0 … T; may be null: every step is real
  Series in[3], y;                               // y is 0 beyond a row's length
  const void* h_0;                               // (B, H); may be null
  void* h_n;                                     // (B, H)
  Series d_y, d_in[3];                           // d_y may be null; d_in is 0 beyond a row's length, and may be `in`
  const void* d_h_n;                             // (B, H); may be null
  void *d_h_0, *d_sums;                          // (B, H); the sums of d_in over all steps (parts, H), may be null
};

// 0; 1: out of memory; 2: a length beyond 0 … T; 3: no such terms.
int unrolled_diagonal_forward_float(const Diagonal* p);
int unrolled_diagonal_forward_double(const Diagonal* p);
int unrolled_diagonal_backward_float(const Diagonal* p);
int unrolled_diagonal_backward_double(const Diagonal* p);
}
#pragma GCC visibility pop
