// AVX-512's intrinsics that the kernels use, on the compiler's own vectors, so that *_avx512.cpp runs on a processor that
// lacks them: `make emulate`. Written from what each instruction is defined to do, one lane at a time.
//
// Included before everything else (-include). The macro of the instruction set comes after the compiler's own header,
// which would take it for a flag.
#pragma once
#include <immintrin.h>
#define __AVX512F__ 1

#include <cmath>
#include <cstdint>
#include <cstring>

namespace emulated {

template <class To, class From>
inline To as(const From& from) {
  static_assert(sizeof(To) == sizeof(From), "one register for another");
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}

template <class Lane>
struct Lanes {
  static constexpr int kCount = 64 / static_cast<int>(sizeof(Lane));
  Lane lane[kCount];
};

// Each lane of a register by a function of its number and of the same lane of the arguments.
template <class Lane, class Register, class Function>
inline Register each(const Function& function) {
  Lanes<Lane> out;
  for (int i = 0; i < Lanes<Lane>::kCount; ++i) out.lane[i] = function(i);
  return as<Register>(out);
}

using F = Lanes<float>;
using U16 = Lanes<uint16_t>;
using U32 = Lanes<uint32_t>;
using U64 = Lanes<uint64_t>;

inline __m512i set1_epi16(int16_t a) { return each<uint16_t, __m512i>([&](int) { return static_cast<uint16_t>(a); }); }
inline __m512i set1_epi32(int32_t a) { return each<uint32_t, __m512i>([&](int) { return static_cast<uint32_t>(a); }); }
inline __m512 set1_ps(float a) { return each<float, __m512>([&](int) { return a; }); }
inline __m512i setr_epi64(int64_t a, int64_t b, int64_t c, int64_t d, int64_t e, int64_t f, int64_t g, int64_t h) {
  const int64_t all[8] = {a, b, c, d, e, f, g, h};
  return each<uint64_t, __m512i>([&](int i) { return static_cast<uint64_t>(all[i]); });
}

inline __m512i add_epi32(__m512i a, __m512i b) {
  const U32 x = as<U32>(a), y = as<U32>(b);
  return each<uint32_t, __m512i>([&](int i) { return x.lane[i] + y.lane[i]; });
}
inline __m512i add_epi64(__m512i a, __m512i b) {
  const U64 x = as<U64>(a), y = as<U64>(b);
  return each<uint64_t, __m512i>([&](int i) { return x.lane[i] + y.lane[i]; });
}
inline __m512i and_si512(__m512i a, __m512i b) {
  const U64 x = as<U64>(a), y = as<U64>(b);
  return each<uint64_t, __m512i>([&](int i) { return x.lane[i] & y.lane[i]; });
}
inline __m512i xor_si512(__m512i a, __m512i b) {
  const U64 x = as<U64>(a), y = as<U64>(b);
  return each<uint64_t, __m512i>([&](int i) { return x.lane[i] ^ y.lane[i]; });
}
// Bit n of the table, n made of the three bits, the first the highest.
inline __m512i ternarylogic_epi64(__m512i a, __m512i b, __m512i c, int table) {
  const U64 x = as<U64>(a), y = as<U64>(b), z = as<U64>(c);
  return each<uint64_t, __m512i>([&](int i) {
    uint64_t out = 0;
    for (int bit = 0; bit < 64; ++bit) {
      const int n = static_cast<int>((x.lane[i] >> bit & 1) << 2 | (y.lane[i] >> bit & 1) << 1 | (z.lane[i] >> bit & 1));
      out |= static_cast<uint64_t>(table >> n & 1) << bit;
    }
    return out;
  });
}
inline __m512i mul_epu32(__m512i a, __m512i b) {
  const U64 x = as<U64>(a), y = as<U64>(b);
  return each<uint64_t, __m512i>([&](int i) { return (x.lane[i] & 0xFFFFFFFF) * (y.lane[i] & 0xFFFFFFFF); });
}
inline __m512i slli_epi32(__m512i a, unsigned by) {
  const U32 x = as<U32>(a);
  return each<uint32_t, __m512i>([&](int i) { return x.lane[i] << by; });
}
inline __m512i srli_epi32(__m512i a, unsigned by) {
  const U32 x = as<U32>(a);
  return each<uint32_t, __m512i>([&](int i) { return x.lane[i] >> by; });
}
inline __m512i slli_epi64(__m512i a, unsigned by) {
  const U64 x = as<U64>(a);
  return each<uint64_t, __m512i>([&](int i) { return x.lane[i] << by; });
}
inline __m512i srli_epi64(__m512i a, unsigned by) {
  const U64 x = as<U64>(a);
  return each<uint64_t, __m512i>([&](int i) { return x.lane[i] >> by; });
}
// Within each 128 bits: the low (high) half of a, then that of b.
inline __m512i unpacklo_epi64(__m512i a, __m512i b) {
  const U64 x = as<U64>(a), y = as<U64>(b);
  return each<uint64_t, __m512i>([&](int i) { return i % 2 == 0 ? x.lane[i] : y.lane[i - 1]; });
}
inline __m512i unpackhi_epi64(__m512i a, __m512i b) {
  const U64 x = as<U64>(a), y = as<U64>(b);
  return each<uint64_t, __m512i>([&](int i) { return i % 2 == 0 ? x.lane[i + 1] : y.lane[i]; });
}
inline __m512i mask_mov_epi32(__m512i from, __mmask16 mask, __m512i a) {
  const U32 x = as<U32>(from), y = as<U32>(a);
  return each<uint32_t, __m512i>([&](int i) { return mask >> i & 1 ? y.lane[i] : x.lane[i]; });
}
inline __m512i maskz_mov_epi32(__mmask16 mask, __m512i a) { return mask_mov_epi32(set1_epi32(0), mask, a); }
inline __m512 maskz_mov_ps(__mmask16 mask, __m512 a) { return as<__m512>(maskz_mov_epi32(mask, as<__m512i>(a))); }
inline uint32_t cmpge_epu16_mask(__m512i a, __m512i b) {
  const U16 x = as<U16>(a), y = as<U16>(b);
  uint32_t mask = 0;
  for (int i = 0; i < U16::kCount; ++i) mask |= static_cast<uint32_t>(x.lane[i] >= y.lane[i]) << i;
  return mask;
}
template <int kHow>
inline __mmask16 compare(__m512 a, __m512 b) {
  static_assert(kHow == _CMP_UNORD_Q, "the only comparison in use");
  const F x = as<F>(a), y = as<F>(b);
  unsigned mask = 0;
  for (int i = 0; i < F::kCount; ++i) mask |= static_cast<unsigned>(std::isnan(x.lane[i]) || std::isnan(y.lane[i])) << i;
  return static_cast<__mmask16>(mask);
}
inline __m512i cvtepu16_epi32(__m256i a) {
  uint16_t half[16];
  std::memcpy(half, &a, sizeof half);
  return each<uint32_t, __m512i>([&](int i) { return uint32_t{half[i]}; });
}
inline __m256i cvtepi32_epi16(__m512i a) {
  const U32 x = as<U32>(a);
  uint16_t half[16];
  for (int i = 0; i < 16; ++i) half[i] = static_cast<uint16_t>(x.lane[i]);
  return as<__m256i>(half);
}

inline __m512 mul_ps(__m512 a, __m512 b) { return a * b; }
inline __m512 maskz_mul_ps(__mmask16 mask, __m512 a, __m512 b) { return maskz_mov_ps(mask, a * b); }
inline __m512 fmadd_ps(__m512 a, __m512 b, __m512 c) {
  const F x = as<F>(a), y = as<F>(b), z = as<F>(c);
  return each<float, __m512>([&](int i) { return std::fma(x.lane[i], y.lane[i], z.lane[i]); });
}
inline __m512 sqrt_ps(__m512 a) {
  const F x = as<F>(a);
  return each<float, __m512>([&](int i) { return std::sqrt(x.lane[i]); });
}
inline __m512 loadu_ps(const float* from) {
  __m512 value;
  std::memcpy(&value, from, sizeof value);
  return value;
}
inline void storeu_ps(float* to, __m512 value) { std::memcpy(to, &value, sizeof value); }
// What the mask leaves out is not touched in memory.
inline __m512 maskz_loadu_ps(__mmask16 mask, const float* from) {
  return each<float, __m512>([&](int i) { return mask >> i & 1 ? from[i] : 0.0f; });
}
inline void mask_storeu_ps(float* to, __mmask16 mask, __m512 value) {
  const F x = as<F>(value);
  for (int i = 0; i < F::kCount; ++i) {
    if (mask >> i & 1) to[i] = x.lane[i];
  }
}
inline __m256 low(__m512 a) {
  __m256 half;
  std::memcpy(&half, &a, sizeof half);
  return half;
}
inline __m256d quarter_pairs(__m512d a, int index) {
  __m256d half;
  std::memcpy(&half, reinterpret_cast<const char*>(&a) + index * 32, sizeof half);
  return half;
}

}  // namespace emulated

#define _mm512_set1_epi16 emulated::set1_epi16
#define _mm512_set1_epi32 emulated::set1_epi32
#define _mm512_set1_ps emulated::set1_ps
#undef _mm512_setr_epi64
#define _mm512_setr_epi64 emulated::setr_epi64
#define _mm512_add_epi32 emulated::add_epi32
#define _mm512_add_epi64 emulated::add_epi64
#define _mm512_and_si512 emulated::and_si512
#define _mm512_xor_si512 emulated::xor_si512
#define _mm512_ternarylogic_epi64 emulated::ternarylogic_epi64
#define _mm512_mul_epu32 emulated::mul_epu32
#define _mm512_slli_epi32 emulated::slli_epi32
#define _mm512_srli_epi32 emulated::srli_epi32
#define _mm512_slli_epi64 emulated::slli_epi64
#define _mm512_srli_epi64 emulated::srli_epi64
#define _mm512_unpacklo_epi64 emulated::unpacklo_epi64
#define _mm512_unpackhi_epi64 emulated::unpackhi_epi64
#define _mm512_mask_mov_epi32 emulated::mask_mov_epi32
#define _mm512_maskz_mov_epi32 emulated::maskz_mov_epi32
#define _mm512_maskz_mov_ps emulated::maskz_mov_ps
#define _mm512_cmpge_epu16_mask emulated::cmpge_epu16_mask
#undef _mm512_cmp_ps_mask
#define _mm512_cmp_ps_mask(a, b, how) emulated::compare<how>(a, b)
#define _mm512_cvtepu16_epi32 emulated::cvtepu16_epi32
#define _mm512_cvtepi32_epi16 emulated::cvtepi32_epi16
#define _mm512_mul_ps emulated::mul_ps
#define _mm512_maskz_mul_ps emulated::maskz_mul_ps
#define _mm512_fmadd_ps emulated::fmadd_ps
#define _mm512_sqrt_ps emulated::sqrt_ps
#define _mm512_loadu_ps emulated::loadu_ps
#define _mm512_storeu_ps emulated::storeu_ps
#define _mm512_maskz_loadu_ps emulated::maskz_loadu_ps
#define _mm512_mask_storeu_ps emulated::mask_storeu_ps
#define _mm512_castps512_ps256 emulated::low
#undef _mm512_extractf64x4_pd
#define _mm512_extractf64x4_pd emulated::quarter_pairs
#define _mm512_castps_pd emulated::as<__m512d, __m512>
#define _mm512_castps_si512 emulated::as<__m512i, __m512>
#define _mm512_castsi512_ps emulated::as<__m512, __m512i>
