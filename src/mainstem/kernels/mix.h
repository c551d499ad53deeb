// Mixing of streams and sums over depth: what a variant offers to mix_api.cpp.
#pragma once
#include <cstdint>

#include "mix_api.h"

namespace mainstem {

// Floats of a chunk's part that are sums over tokens, and all of them: both are whole vectors of sixteen, so that no
// vector of what lies there reaches over the end of a cache line.
static inline int64_t mix_sums(int64_t streams, int64_t columns) {
  return ((streams + 2) * (columns + 3 * streams) + 15) / 16 * 16;
}
static inline int64_t mix_part(int64_t streams, int64_t columns) {
  return mix_sums(streams, columns) + (streams * columns + 15) / 16 * 16;
}

// By [0: float32, 1: bfloat16]; all work on tokens or elements [begin, end).
struct Mix {
  void (*forward[2])(const MainstemMix& m, int64_t begin, int64_t end);
  // part: this chunk's sums, see MainstemMix.parts.
  void (*backward[2])(const MainstemMix& m, int64_t begin, int64_t end, float* part);
  void (*depth[2])(const MainstemDepth& d, int64_t begin, int64_t end);
  // part: [count], the chunk's products of dy with each array.
  void (*depth_backward[2])(const MainstemDepth& d, int64_t begin, int64_t end, float* part);
};

extern const Mix kMixBaseline;
#ifdef MAINSTEM_AVX2
extern const Mix kMixAvx2;
#endif
#ifdef MAINSTEM_AVX512
extern const Mix kMixAvx512;
#endif

}  // namespace mainstem
