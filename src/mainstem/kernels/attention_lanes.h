// One register of floats, as attention needs it, written once for all instruction sets.
//
// Included by one attention_*.cpp per instruction set; internal linkage, see keep_lanes.h. Products are added without
// rounding between where the processor can, so instruction sets agree to rounding and not to the bit.
#pragma once
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include <cstdint>
#include <cstring>

#include "scale.h"

namespace mainstem {
namespace {

#if defined(__AVX512F__)
constexpr int kWidth = 16;
#elif defined(__AVX2__)
constexpr int kWidth = 8;
#else
constexpr int kWidth = 4;
#endif

using Float = float __attribute__((vector_size(4 * kWidth)));
using Int = int32_t __attribute__((vector_size(4 * kWidth)));
using Word = uint32_t __attribute__((vector_size(4 * kWidth)));
using Half = uint16_t __attribute__((vector_size(2 * kWidth)));

// Not 0 + value, which is another number where value is -0, so that it would be added.
inline Float same(float value) { return value - Float{}; }
inline Int same(int32_t value) { return Int{} + value; }

inline Float fused(Float a, Float b, Float c) {
#if defined(__AVX512F__)
  return (Float)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__FMA__)
  return (Float)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
  return a * b + c;
#endif
}

inline Float load(const float* from) {
  Float value;
  std::memcpy(&value, from, sizeof value);
  return value;
}
inline Float load(const uint16_t* from) {
#if defined(__AVX2__) && !defined(__AVX512F__)
  // Of the vectors GCC makes two conversions and puts their results together.
  const Word bits = (Word)_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))) << 16;
#else
  Half half;
  std::memcpy(&half, from, sizeof half);
  const Word bits = __builtin_convertvector(half, Word) << 16;
#endif
  return (Float)bits;
}
inline Int load(const int32_t* from) {
  Int value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

inline void store(float* to, Float value) { std::memcpy(to, &value, sizeof value); }
// To the nearest bfloat16, ties to even.
inline void store(uint16_t* to, Float value) {
  Word bits = (Word)value;
  bits = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
  bits = value != value ? Word{} + 0x7FC0 : bits;
  const Half half = __builtin_convertvector(bits, Half);
  std::memcpy(to, &half, sizeof half);
}

inline float one(const float* from) { return *from; }
inline float one(const uint16_t* from) { return widen(*from); }
inline void one(float* to, float value) { *to = value; }
inline void one(uint16_t* to, float value) { *to = narrow(value); }

inline Float largest(Float a, Float b) { return a > b ? a : b; }

inline Int lanes() {
  Int value{};
  for (int i = 0; i < kWidth; ++i) value[i] = i;
  return value;
}

// Lane i of the result is lane index[i] of `a` and `b`, one after the other.
inline Float choose(Float a, Float b, Int index) {
#if defined(__clang__)
  Float value{};
  for (int i = 0; i < kWidth; ++i) value[i] = index[i] < kWidth ? a[index[i]] : b[index[i] - kWidth];
  return value;
#else
  return __builtin_shuffle(a, b, index);
#endif
}

// Transposes a square of kWidth rows: in each round, pairs of rows swap the halves of each stretch of 2 * kStep lanes.
template <int kStep = 1>
inline void transpose_square(Float* rows) {
  if constexpr (kStep < kWidth) {
    const Int low = lanes() & static_cast<int32_t>(kStep);
    const Int first = low != 0 ? lanes() + static_cast<int32_t>(kWidth - kStep) : lanes();
    const Int second = low != 0 ? lanes() + static_cast<int32_t>(kWidth) : lanes() + static_cast<int32_t>(kStep);
#pragma GCC unroll 16
    for (int i = 0; i < kWidth; ++i) {
      if (i & kStep) continue;
      const Float a = rows[i], b = rows[i + kStep];
      rows[i] = choose(a, b, first);
      rows[i + kStep] = choose(a, b, second);
    }
    transpose_square<2 * kStep>(rows);
  }
}

inline float total(Float value) {
  float sum = 0;
  for (int i = 0; i < kWidth; ++i) sum += value[i];
  return sum;
}

// e^x to about one unit in the last place for x up to 88; 0 below the smallest normal number, NaN for NaN.
// x = n log 2 + r, |r| <= log(2) / 2: a polynomial in r (Cephes, expf) times 2^n.
inline Float exponential(Float x) {
  const Float magic = same(12582912.0f);  // 1.5 * 2^23: adding it rounds to a whole number, in the lowest bits
  const Float shifted = fused(x, same(1.44269504f), magic);
  const Float n = shifted - magic;
  Float r = fused(n, same(-0.693359375f), x);
  r = fused(n, same(2.12194440e-4f), r);
  Float y = same(1.9875691500e-4f);
  y = fused(y, r, same(1.3981999507e-3f));
  y = fused(y, r, same(8.3334519073e-3f));
  y = fused(y, r, same(4.1665795894e-2f));
  y = fused(y, r, same(1.6666665459e-1f));
  y = fused(y, r, same(5.0000001201e-1f));
  y = fused(y, r * r, r + 1.0f);
  const Word power = ((Word)shifted - (Word)magic + 127u) << 23;
  y = y * (Float)power;
  return x < same(-87.33654f) ? Float{} : y;
}

}  // namespace
}  // namespace mainstem
