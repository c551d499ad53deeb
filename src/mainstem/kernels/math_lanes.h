// exp, the normal distribution function and tanh on float lanes, each within a few units in the last place.
//
// Included by one file per instruction set; internal linkage, see keep_lanes.h. Without contraction every step is the
// same on all of them, so variants agree on the bits. Polynomials are weighted minimax-like fits (Chebyshev nodes) of
// the functions named beside them, added up in pairs (Estrin): a step of Horner's scheme waits for the one before, and
// the processor for all of them.
#pragma once
#include "float_lanes.h"

namespace mainstem {
namespace {

inline Word word_of(Float value) {
  Word bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

inline Float float_of(Word bits) {
  Float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

inline Float same(float value) { return Float{} + value; }

// Correctly rounded on all of them. GCC makes sixteen instructions of a loop over the lanes.
inline Float square_root(Float value) {
#if defined(__AVX512F__)
  return Float(_mm512_sqrt_ps(__m512(value)));
#elif defined(__AVX2__)
  return Float(_mm256_sqrt_ps(__m256(value)));
#elif defined(__SSE2__)
  return Float(_mm_sqrt_ps(__m128(value)));
#else
  for (int lane = 0; lane < kWidth; ++lane) value[lane] = __builtin_sqrtf(value[lane]);
  return value;
#endif
}

// 2^n for whole n in [-126, 127], given as n + 1.5 * 2^23: the low bits of that number are those of n.
inline Float power(Float shifted) { return float_of((word_of(shifted) + 127) << 23); }

// exp(x + tail), |tail| small beside 1: the two together may be known to more bits than a float has.
inline Float exponential(Float x, Float tail) {
  constexpr float kShift = 12582912.0f;
  // Beyond these the result is 0 or infinity anyway; NaN compares false and stays.
  x = x > 89.0f ? same(89.0f) : x;
  x = x < -104.0f ? same(-104.0f) : x;
  const Float n = x * 1.44269504088896341f + kShift - kShift;
  // The high part of ln 2 has trailing zeros, so that its product with n is exact.
  const Float r = (x - n * 0.693145751953125f) - n * 1.42860682030941723e-6f + tail;
  const Float square = r * r;
  Float p = (r * 8.36324e-3f + 4.166646e-2f) + square * 1.39337e-3f;
  p = (r * 1.6666577e-1f + 0.5f) + square * p;
  p = square * p + r + 1.0f;
  // In two factors, so that results below the smallest normal number lose bits but are not lost.
  const Float half = n * 0.5f + kShift, rest = n - (half - kShift) + kShift;
  return p * power(half) * power(rest);
}

struct Normal {
  Float below;    // P(X <= x), X ~ N(0, 1)
  Float density;  // exp(-x^2 / 2) / sqrt(2 pi)
};

inline Normal normal(Float x) {
  Float a = float_of(word_of(x) & 0x7FFFFFFF);
  a = a > 15.0f ? same(15.0f) : a;
  // The square of the upper half of a's bits is exact; the rest of a^2 / 2 goes in as the tail. Without that an error
  // of half a unit in a^2 would be one of 50 units in exp(-a^2 / 2).
  const Float upper = float_of(word_of(a) & 0xFFFFF000);
  const Float e = exponential(upper * upper * -0.5f, (a - upper) * (a + upper) * -0.5f);
  // (1 + a) exp(a^2 / 2) P(X > a) as a polynomial in (a - 4) / (a + 4), on 0 <= a <= 15.
  const Float t = (a - 4.0f) / (a + 4.0f);
  const Float two = t * t, four = two * two;
  const Float p0 = t * -9.670346975326538e-02f + 4.72053200006485e-01f;
  const Float p2 = t * 2.8599996119737625e-02f + 1.3999620452523232e-02f;
  const Float p4 = t * 1.79398525506258e-02f + -3.219761326909065e-02f;
  const Float p6 = t * -3.0160555616021156e-04f + -5.002894904464483e-03f;
  const Float p8 = t * -6.436251715058461e-05f + 6.913368124514818e-04f;
  const Float high = p8 + two * -7.324348553083837e-05f;
  const Float p = (p0 + two * p2) + four * ((p4 + two * p6) + four * high);
  const Float above = e * p / (a + 1.0f);
  return {x > 0.0f ? 1.0f - above : above, e * 0.3989422804014327f};
}

inline Float sigmoid(Float x) { return 1.0f / (exponential(-x, Float{}) + 1.0f); }

inline Float hyperbolic_tangent(Float x) {
  const Float a = float_of(word_of(x) & 0x7FFFFFFF), square = x * x;
  Float p = square * -6.09451e-3f + 2.098284e-2f;
  p = p * square + -5.384299e-2f;
  p = p * square + 1.3332643e-1f;
  p = p * square + -3.3333324e-1f;
  const Float near = x + x * square * p;
  // From 0.625 on 1 - exp(-2a) is not a difference of neighbours.
  const Float e = exponential(a * -2.0f, Float{});
  const Float far = float_of(word_of((1.0f - e) / (e + 1.0f)) | (word_of(x) & 0x80000000));
  return a > 0.625f ? far : near;
}

}  // namespace
}  // namespace mainstem
