// NEON: two Philox calls a vector. Every 64-bit ARM processor has it.
#include <arm_neon.h>

#include "keep_lanes.h"
#include "scale.h"
#include "variant.h"

namespace mainstem {
namespace {

struct Lanes {
  using V = uint64x2_t;
  static constexpr int kCalls = 2;

  static V same(uint32_t word) { return vdupq_n_u64(word); }
  static V counters(uint32_t first) { return vcombine_u64(vcreate_u64(first), vcreate_u64(first + uint64_t{1})); }
  static V add(V a, V b) { return vaddq_u64(a, b); }
  static V multiply(V a, V b) { return vmull_u32(vmovn_u64(a), vmovn_u64(b)); }
  static V high(V a) { return vshrq_n_u64(a, 32); }
  static V exclusive_or(V a, V b) { return veorq_u64(a, b); }
  static V exclusive_or(V a, V b, V c) { return veorq_u64(veorq_u64(a, b), c); }

  static uint8_t byte(uint64x2_t halves, uint16x8_t limit) {
    const uint16_t weights[8] = {1, 2, 4, 8, 16, 32, 64, 128};
    const uint16x8_t kept = vcgeq_u16(vreinterpretq_u16_u64(halves), limit);
    return static_cast<uint8_t>(vaddvq_u16(vandq_u16(kept, vld1q_u16(weights))));
  }

  static void store(uint8_t* out, V c0, V c1, V c2, V c3, uint16_t threshold) {
    const V low = vsliq_n_u64(c0, c1, 32), upper = vsliq_n_u64(c2, c3, 32);
    const uint16x8_t limit = vdupq_n_u16(threshold);
    out[0] = byte(vzip1q_u64(low, upper), limit);
    out[1] = byte(vzip2q_u64(low, upper), limit);
  }
};

inline uint32x4_t spread(uint8_t byte, const uint32_t* weights) {
  return vtstq_u32(vdupq_n_u32(byte), vld1q_u32(weights));
}

const uint32_t kWeights[8] = {1, 2, 4, 8, 16, 32, 64, 128};

void scale_float32(float* y, const float* x, const uint8_t* bits, int64_t count, float scale) {
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (int half = 0; half < 8; half += 4) {
      const uint32x4_t product = vreinterpretq_u32_f32(vmulq_n_f32(vld1q_f32(x + i + half), scale));
      const uint32x4_t chosen = vandq_u32(product, spread(bits[i >> 3], kWeights + half));
      vst1q_f32(y + i + half, vreinterpretq_f32_u32(chosen));
    }
  }
  scale_from(y, x, bits, i, count, scale);
}

void scale_bfloat16(uint16_t* y, const uint16_t* x, const uint8_t* bits, int64_t count, float scale) {
  scale_from(y, x, bits, 0, count, scale);
}

}  // namespace

const Variant kNeon = {"neon", Isa::kNeon, keep<Lanes, 4>, scale_float32, scale_bfloat16, &kNormBaseline};

}  // namespace mainstem
