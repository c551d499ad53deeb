// AVX2: four Philox calls a vector. Compiled with -mavx2 and reached only where the processor has it.
#include <immintrin.h>

#include "keep_lanes.h"
#include "scale.h"
#include "variant.h"

namespace mainstem {
namespace {

struct Lanes {
  using V = __m256i;
  static constexpr int kCalls = 4;

  static V same(uint32_t word) { return _mm256_set1_epi32(static_cast<int32_t>(word)); }
  static V counters(uint32_t first) {
    return _mm256_add_epi64(same(first), _mm256_setr_epi64x(0, 1, 2, 3));
  }
  static V add(V a, V b) { return _mm256_add_epi64(a, b); }
  static V multiply(V a, V b) { return _mm256_mul_epu32(a, b); }
  static V high(V a) { return _mm256_srli_epi64(a, 32); }
  static V exclusive_or(V a, V b) { return _mm256_xor_si256(a, b); }
  static V exclusive_or(V a, V b, V c) { return _mm256_xor_si256(a, _mm256_xor_si256(b, c)); }

  static void store(uint8_t* out, V c0, V c1, V c2, V c3, uint16_t threshold) {
    const V low = _mm256_blend_epi32(c0, _mm256_slli_epi64(c1, 32), 0xAA);
    const V upper = _mm256_blend_epi32(c2, _mm256_slli_epi64(c3, 32), 0xAA);
    const V limit = _mm256_set1_epi16(static_cast<int16_t>(threshold));
    const V even = _mm256_unpacklo_epi64(low, upper), odd = _mm256_unpackhi_epi64(low, upper);
    // There is no unsigned compare: what the threshold is above a half, cut at 0, is 0 just where the half is kept.
    // The packing works within 128-bit lanes, which puts the calls 0 and 2, 1 and 3 back into their order.
    const V above = _mm256_packs_epi16(_mm256_subs_epu16(limit, even), _mm256_subs_epu16(limit, odd));
    const int bytes = _mm256_movemask_epi8(_mm256_cmpeq_epi8(above, _mm256_setzero_si256()));
    std::memcpy(out, &bytes, sizeof bytes);
  }
};

// In five registers, so that sixteen suffice for three vectors: factors and keys stay in memory, the sum that waits for a
// product comes last, and vectors keep their turns. GCC mixes them and moves half of it to the stack.
template <>
inline void philox_round<Lanes>(__m256i& c0, __m256i& c1, __m256i& c2, __m256i& c3, const __m256i& by_a,
                                const __m256i& by_b, const __m256i& key0, const __m256i& key1) {
  __m256i product;
  __asm__ volatile(
      "vpmuludq %[by_a], %[c0], %[product]\n\t"
      "vpxor %[key0], %[c1], %[c0]\n\t"
      "vpmuludq %[by_b], %[c2], %[c1]\n\t"
      "vpxor %[key1], %[c3], %[c2]\n\t"
      "vpsrlq $32, %[c1], %[c3]\n\t"
      "vpxor %[c3], %[c0], %[c0]\n\t"
      "vpsrlq $32, %[product], %[c3]\n\t"
      "vpxor %[c3], %[c2], %[c2]"
      : [c0] "+x"(c0), [c1] "+x"(c1), [c2] "+x"(c2), [c3] "+x"(c3), [product] "=&x"(product)
      : [by_a] "m"(by_a), [by_b] "m"(by_b), [key0] "m"(key0), [key1] "m"(key1));
  c3 = product;
}

inline __m256i spread(uint8_t byte) {
  const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  return _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(byte), bit), bit);
}

void scale_float32(float* y, const float* x, const uint8_t* bits, int64_t count, float scale) {
  const __m256 factor = _mm256_set1_ps(scale);
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const __m256 product = _mm256_mul_ps(_mm256_loadu_ps(x + i), factor);
    _mm256_storeu_ps(y + i, _mm256_and_ps(product, _mm256_castsi256_ps(spread(bits[i >> 3]))));
  }
  scale_from(y, x, bits, i, count, scale);
}

// Eight products, rounded to bfloat16 in lanes of 32 bits.
inline __m256i rounded(const uint16_t* x, __m256 factor) {
  const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x)));
  const __m256 product = _mm256_mul_ps(_mm256_castsi256_ps(_mm256_slli_epi32(wide, 16)), factor);
  const __m256i raw = _mm256_castps_si256(product);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(raw, 16), _mm256_set1_epi32(1));
  const __m256i near = _mm256_srli_epi32(_mm256_add_epi32(_mm256_add_epi32(raw, _mm256_set1_epi32(0x7FFF)), odd), 16);
  const __m256i is_nan = _mm256_castps_si256(_mm256_cmp_ps(product, product, _CMP_UNORD_Q));
  return _mm256_blendv_epi8(near, _mm256_set1_epi32(0x7FC0), is_nan);
}

// The packing works within 128-bit lanes; the permutation puts their quarters back into order.
inline __m256i pack(__m256i low, __m256i high) {
  return _mm256_permute4x64_epi64(_mm256_packus_epi32(low, high), 0xD8);
}

void scale_bfloat16(uint16_t* y, const uint16_t* x, const uint8_t* bits, int64_t count, float scale) {
  const __m256 factor = _mm256_set1_ps(scale);
  const __m256i bit = _mm256_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, -32768);
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    int16_t word;
    std::memcpy(&word, bits + (i >> 3), sizeof word);
    const __m256i mask = _mm256_cmpeq_epi16(_mm256_and_si256(_mm256_set1_epi16(word), bit), bit);
    const __m256i packed = pack(rounded(x + i, factor), rounded(x + i + 8, factor));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(y + i), _mm256_and_si256(packed, mask));
  }
  for (; i + 8 <= count; i += 8) {
    const __m256i kept = _mm256_and_si256(rounded(x + i, factor), spread(bits[i >> 3]));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(y + i), _mm256_castsi256_si128(pack(kept, kept)));
  }
  scale_from(y, x, bits, i, count, scale);
}

}  // namespace

const Variant kAvx2 = {"avx2", Isa::kAvx2, keep<Lanes, 3>, scale_float32, scale_bfloat16, &kNormAvx2};

}  // namespace mainstem
