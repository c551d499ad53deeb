// AVX-512 (F, BW, VL): eight Philox calls a vector. Compiled with its own flags, reached only where they hold.
#include <immintrin.h>

#include "keep_lanes.h"
#include "scale.h"
#include "variant.h"

namespace mainstem {
namespace {

struct Lanes {
  using V = __m512i;
  static constexpr int kCalls = 8;

  static V same(uint32_t word) { return _mm512_set1_epi32(static_cast<int32_t>(word)); }
  // In the order that `store` turns back when it interleaves pairs of lanes.
  static V counters(uint32_t first) { return _mm512_add_epi64(same(first), _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7)); }
  static V add(V a, V b) { return _mm512_add_epi64(a, b); }
  static V multiply(V a, V b) { return _mm512_mul_epu32(a, b); }
  static V high(V a) { return _mm512_srli_epi64(a, 32); }
  static V exclusive_or(V a, V b) { return _mm512_xor_si512(a, b); }
  static V exclusive_or(V a, V b, V c) { return _mm512_ternarylogic_epi64(a, b, c, 0x96); }

  static void store(uint8_t* out, V c0, V c1, V c2, V c3, uint16_t threshold) {
    const V first = _mm512_mask_mov_epi32(_mm512_slli_epi64(c1, 32), 0x5555, c0);
    const V second = _mm512_mask_mov_epi32(_mm512_slli_epi64(c3, 32), 0x5555, c2);
    const V limit = _mm512_set1_epi16(static_cast<int16_t>(threshold));
    const uint64_t early = _mm512_cmpge_epu16_mask(_mm512_unpacklo_epi64(first, second), limit);
    const uint64_t late = _mm512_cmpge_epu16_mask(_mm512_unpackhi_epi64(first, second), limit);
    const uint64_t bytes = early | late << 32;
    std::memcpy(out, &bytes, sizeof bytes);
  }
};

inline __mmask16 sixteen(const uint8_t* bits) {
  uint16_t mask;
  std::memcpy(&mask, bits, sizeof mask);
  return mask;
}

void scale_float32(float* y, const float* x, const uint8_t* bits, int64_t count, float scale) {
  const __m512 factor = _mm512_set1_ps(scale);
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    _mm512_storeu_ps(y + i, _mm512_maskz_mul_ps(sixteen(bits + (i >> 3)), _mm512_loadu_ps(x + i), factor));
  }
  scale_from(y, x, bits, i, count, scale);
}

void scale_bfloat16(uint16_t* y, const uint16_t* x, const uint8_t* bits, int64_t count, float scale) {
  const __m512 factor = _mm512_set1_ps(scale);
  const __m512i one = _mm512_set1_epi32(1), bias = _mm512_set1_epi32(0x7FFF), nan = _mm512_set1_epi32(0x7FC0);
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + i)));
    const __m512 product = _mm512_mul_ps(_mm512_castsi512_ps(_mm512_slli_epi32(wide, 16)), factor);
    const __m512i raw = _mm512_castps_si512(product);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(raw, 16), one);
    const __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(_mm512_add_epi32(raw, bias), odd), 16);
    const __m512i narrow = _mm512_mask_mov_epi32(rounded, _mm512_cmp_ps_mask(product, product, _CMP_UNORD_Q), nan);
    const __m512i chosen = _mm512_maskz_mov_epi32(sixteen(bits + (i >> 3)), narrow);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(y + i), _mm512_cvtepi32_epi16(chosen));
  }
  scale_from(y, x, bits, i, count, scale);
}

}  // namespace

const Variant kAvx512 = {"avx512", Isa::kAvx512, keep<Lanes, 4>, scale_float32, scale_bfloat16, &kNormAvx512};

}  // namespace mainstem
