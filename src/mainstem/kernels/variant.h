// One way to compute, per instruction set: which elements are kept, what a kept element becomes, and norms of rows.
#pragma once
#include <cstdint>

#include "draw.h"
#include "norm.h"

namespace mainstem {

// What a file *_NAME.cpp was compiled for. An op keeps a table for each and looks up its own.
enum class Isa { kBaseline, kAvx2, kAvx512, kNeon };

struct Variant {
  const char* name;
  Isa isa;
  // out[i], i < count: the eight keep bits of counter word 0 = first + i, bit j for column j.
  void (*keep)(uint8_t* out, uint32_t first, int64_t count, const Draw& draw);
  // y[i] = bit i of bits ? x[i] * scale : +0, i < count, in float32 whatever the storage.
  void (*scale_float32)(float* y, const float* x, const uint8_t* bits, int64_t count, float scale);
  void (*scale_bfloat16)(uint16_t* y, const uint16_t* x, const uint8_t* bits, int64_t count, float scale);
  const Norm* norm;
};

// Null where the name is unknown here or the processor lacks the instructions; index -1 is the best there is.
const Variant* variant(int64_t index);

extern const Variant kBaseline;
#ifdef MAINSTEM_AVX2
extern const Variant kAvx2;
#endif
#ifdef MAINSTEM_AVX512
extern const Variant kAvx512;
#endif
#ifdef MAINSTEM_NEON
extern const Variant kNeon;
#endif

}  // namespace mainstem
