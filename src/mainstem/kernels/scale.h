// One element at a time: the baseline, and the ends of arrays in the wider variants. Internal linkage, see keep_lanes.h.
#pragma once
#include <cstdint>
#include <cstring>

namespace mainstem {
namespace {

inline float widen(uint16_t half) {
  const uint32_t bits = static_cast<uint32_t>(half) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// To the nearest bfloat16, ties to even; every NaN becomes the same one, so that variants agree on the bits.
inline uint16_t narrow(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  if (value != value) return 0x7FC0;
  return static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

inline bool kept(const uint8_t* bits, int64_t i) { return (bits[i >> 3] >> (i & 7)) & 1; }

inline void scale_from(float* y, const float* x, const uint8_t* bits, int64_t i, int64_t count, float scale) {
  for (; i < count; ++i) y[i] = kept(bits, i) ? x[i] * scale : 0.0f;
}

inline void scale_from(uint16_t* y, const uint16_t* x, const uint8_t* bits, int64_t i, int64_t count, float scale) {
  for (; i < count; ++i) y[i] = kept(bits, i) ? narrow(widen(x[i]) * scale) : uint16_t{0};
}

}  // namespace
}  // namespace mainstem
