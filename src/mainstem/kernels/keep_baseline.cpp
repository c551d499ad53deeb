// Plain C++, for every processor.
#include "keep_lanes.h"
#include "scale.h"
#include "variant.h"

namespace mainstem {
namespace {

struct Lanes {
  using V = uint64_t;
  static constexpr int kCalls = 1;

  static V same(uint32_t word) { return word; }
  static V counters(uint32_t first) { return first; }
  static V add(V a, V b) { return a + b; }
  static V multiply(V a, V b) { return (a & 0xFFFFFFFFu) * b; }
  static V high(V a) { return a >> 32; }
  static V exclusive_or(V a, V b) { return a ^ b; }
  static V exclusive_or(V a, V b, V c) { return a ^ b ^ c; }

  static void store(uint8_t* out, V c0, V c1, V c2, V c3, uint16_t threshold) {
    unsigned byte = 0;
    const V words[4] = {c0, c1, c2, c3};
    for (int word = 0; word < 4; ++word) {
      byte |= static_cast<unsigned>((words[word] & 0xFFFF) >= threshold) << (2 * word);
      byte |= static_cast<unsigned>(((words[word] >> 16) & 0xFFFF) >= threshold) << (2 * word + 1);
    }
    *out = static_cast<uint8_t>(byte);
  }
};

void scale_float32(float* y, const float* x, const uint8_t* bits, int64_t count, float scale) {
  scale_from(y, x, bits, 0, count, scale);
}

void scale_bfloat16(uint16_t* y, const uint16_t* x, const uint8_t* bits, int64_t count, float scale) {
  scale_from(y, x, bits, 0, count, scale);
}

}  // namespace

const Variant kBaseline = {"baseline", Isa::kBaseline, keep<Lanes, 4>, scale_float32, scale_bfloat16, &kNormBaseline};

}  // namespace mainstem
