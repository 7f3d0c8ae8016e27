// Vectors of any width, and the functions that gates are made of.
//
// Written with the compiler's vector extensions: one source for every width (VECTOR_BYTES = 16, 32, 64), and on a
// processor that is not x86 too. L is the number of lanes of a vector.

#pragma once

#include <cstdint>
#include <cstring>

#ifndef VECTOR_BYTES
#define VECTOR_BYTES 16
#endif

#define UNROLLED_INLINE inline __attribute__((always_inline))

namespace unrolled {

using Index = std::int64_t;

template <typename S> struct Lanes;
template <> struct Lanes<float> {
  typedef float V __attribute__((vector_size(VECTOR_BYTES)));
  typedef std::int32_t N __attribute__((vector_size(VECTOR_BYTES)));
  static constexpr int terms = 8, mantissa = 23, bias = 127;
  static constexpr float magic = 12582912.0f;  // 1.5 · 2²³: adding it rounds to an integer
  static constexpr float most = 87.0f, flat = 20.0f;
  static constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
};
template <> struct Lanes<double> {
  typedef double V __attribute__((vector_size(VECTOR_BYTES)));
  typedef std::int64_t N __attribute__((vector_size(VECTOR_BYTES)));
  static constexpr int terms = 14, mantissa = 52, bias = 1023;
  static constexpr double magic = 6755399441055744.0;
  static constexpr double most = 708.0, flat = 42.0;
  static constexpr double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
};
template <typename S> using Vec = typename Lanes<S>::V;
template <typename S> constexpr int L = VECTOR_BYTES / sizeof(S);

template <typename S> UNROLLED_INLINE Vec<S> load(const S* p) {
  Vec<S> v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
template <typename S> UNROLLED_INLINE void store(S* p, Vec<S> v) { std::memcpy(p, &v, sizeof v); }

// The first n lanes; a row of H numbers ends inside a vector, and what lies behind it is another's.
template <typename S> UNROLLED_INLINE Vec<S> load(const S* p, Index n) {
  if (n >= L<S>) return load(p);
  alignas(VECTOR_BYTES) S whole[L<S>] = {};
  for (Index i = 0; i < n; ++i) whole[i] = p[i];
  return load(whole);
}
template <typename S> UNROLLED_INLINE void store(S* p, Vec<S> v, Index n) {
  if (n >= L<S>) return store(p, v);
  alignas(VECTOR_BYTES) S whole[L<S>];
  store(whole, v);
  for (Index i = 0; i < n; ++i) p[i] = whole[i];
}

template <typename S> UNROLLED_INLINE Vec<S> splat(S x) { return x - Vec<S>{}; }

// Both let NaN pass: a comparison with it is false.
template <typename S> UNROLLED_INLINE Vec<S> at_most(Vec<S> v, S bound) { return v > splat(bound) ? splat(bound) : v; }
template <typename S> UNROLLED_INLINE Vec<S> at_least(Vec<S> v, S bound) { return v < splat(bound) ? splat(bound) : v; }

// eˣ = 2ⁿ eʳ with |r| ≤ ln 2 / 2; `grown` is eʳ - 1 by its Taylor series, right to the last bits, small r included.
template <typename S> struct Exponential {
  Vec<S> scale, grown;
};
template <typename S> UNROLLED_INLINE Exponential<S> exponential(Vec<S> x) {
  using C = Lanes<S>;
  Vec<S> shifted = x * splat<S>(S(1.44269504088896340736)) + splat<S>(C::magic);
  Vec<S> n = shifted - splat<S>(C::magic);
  Vec<S> r = x - n * splat<S>(C::ln2_high) - n * splat<S>(C::ln2_low);
  S factor = 1;
  for (int k = 2; k < C::terms; ++k) factor *= S(k);
  Vec<S> sum = splat<S>(1 / factor);
  for (int k = C::terms - 1; k > 1; --k) {
    factor /= S(k);
    sum = sum * r + splat<S>(1 / factor);
  }
  typename C::N bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  typename C::N power = (bits + C::bias) << C::mantissa;  // the magic's own bits are shifted out
  Vec<S> scale;
  std::memcpy(&scale, &power, sizeof scale);
  return {scale, sum * r};
}

template <typename S> UNROLLED_INLINE Vec<S> sigmoid(Vec<S> x) {
  using C = Lanes<S>;
  Exponential<S> e = exponential<S>(at_least<S>(at_most<S>(-x, C::most), -C::most));
  return splat<S>(1) / (splat<S>(1) + (e.scale + e.scale * e.grown));
}

// (e²ˣ - 1) / (e²ˣ + 1), without the cancellation that would spoil a small x; beyond `flat` it is ±1 to the last bit.
template <typename S> UNROLLED_INLINE Vec<S> tanh(Vec<S> x) {
  using C = Lanes<S>;
  Exponential<S> e = exponential<S>(at_least<S>(at_most<S>(x + x, C::flat), -C::flat));
  Vec<S> less_one = e.scale * e.grown + (e.scale - splat<S>(1));
  return less_one / (less_one + splat<S>(2));
}

}  // namespace unrolled
