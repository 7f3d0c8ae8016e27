// What a diagonal recurrence makes of one vector of units at one step, forward and back.
//
// Each says how many parts it reads. `advance` gives the next state; `retreat` takes the gradient d of that state,
// leaves those of the parts and gives what goes on to the state before.

#pragma once

#include "vectors.h"

namespace unrolled {

template <typename S> struct ScanTerms {
  static constexpr int kParts = 2;
  static UNROLLED_INLINE Vec<S> advance(const Vec<S>* in, Vec<S> h) { return in[0] * h + in[1]; }
  static UNROLLED_INLINE Vec<S> retreat(const Vec<S>* in, Vec<S> before, Vec<S> d, Vec<S>* d_in) {
    d_in[0] = d * before;
    d_in[1] = d;
    return d * in[0];
  }
};

// z = σ(in₀), h = (1 - z) ⊙ h + z ⊙ in₁
template <typename S> struct MinGruTerms {
  static constexpr int kParts = 2;
  static UNROLLED_INLINE Vec<S> advance(const Vec<S>* in, Vec<S> h) { return h + sigmoid<S>(in[0]) * (in[1] - h); }
  static UNROLLED_INLINE Vec<S> retreat(const Vec<S>* in, Vec<S> before, Vec<S> d, Vec<S>* d_in) {
    const Vec<S> z = sigmoid<S>(in[0]), taken = d * z, kept = d - taken;
    d_in[0] = kept * z * (in[1] - before);
    d_in[1] = taken;
    return kept;
  }
};

// Of two sums f and i, the shares of σ(f) and σ(i) in σ(f) + σ(i):
// (1 + u) · r and (1 + v) · r with u = e⁻ⁱ, v = e⁻ᶠ, r = 1 / (2 + u + v).
template <typename S> struct Balance {
  Vec<S> u, v, r;
  UNROLLED_INLINE Balance(Vec<S> f, Vec<S> i) {
    // Where they would overflow, both are divided by the same; the ones are then nothing beside them, and stay ones.
    constexpr S bound = Lanes<S>::most - 7;
    const Vec<S> excess = at_least<S>(-(f < i ? f : i) - splat<S>(bound), 0);
    u = power(-i - excess);
    v = power(-f - excess);
    r = splat<S>(1) / (splat<S>(2) + u + v);
  }
  static UNROLLED_INLINE Vec<S> power(Vec<S> x) {
    Exponential<S> e = exponential<S>(at_least<S>(x, -Lanes<S>::most));
    return e.scale + e.scale * e.grown;
  }
  UNROLLED_INLINE Vec<S> kept() const { return r + u * r; }
  UNROLLED_INLINE Vec<S> taken() const { return r + v * r; }
};

// f, i = σ(in₀), σ(in₁), h = (f ⊙ h + i ⊙ in₂) / (f + i)
template <typename S> struct MinLstmTerms {
  static constexpr int kParts = 3;
  static UNROLLED_INLINE Vec<S> advance(const Vec<S>* in, Vec<S> h) {
    const Balance<S> of(in[0], in[1]);
    return of.kept() * h + of.taken() * in[2];
  }
  static UNROLLED_INLINE Vec<S> retreat(const Vec<S>* in, Vec<S> before, Vec<S> d, Vec<S>* d_in) {
    const Balance<S> of(in[0], in[1]);
    const Vec<S> kept = of.kept(), taken = of.taken(), toward = d * (before - in[2]);
    d_in[0] = toward * kept * (of.v * of.r);
    d_in[1] = -toward * taken * (of.u * of.r);
    d_in[2] = d * taken;
    return d * kept;
  }
};

}  // namespace unrolled
