// Attention over blocks of queries and keys: what an instruction set offers to attention_api.cpp.
#pragma once
#include <atomic>
#include <cstdint>

#include "attention_api.h"
#include "draw.h"

namespace mainstem {

// Queries and keys of one block. A multiple of every vector; of the keys, the 64 bits of one word of keep decisions.
constexpr int64_t kBlock = 64;

struct AttentionWork {
  MainstemAttention shape;
  const void *query, *key, *value;
  void* out;
  float* lse;
  const void* dout;
  void *dquery, *dkey, *dvalue;
  const int64_t* documents;  // null: one document
  float scale;
  // Without dropout `keep` is null.
  void (*keep)(uint8_t* out, uint32_t first, int64_t count, const Draw& draw);
  Draw draw;
  const int64_t* samples;
  float kept_scale;  // of a kept weight
  bool all_dropped;
  std::atomic<bool>* no_memory;

  int64_t query_blocks() const { return (shape.queries + kBlock - 1) / kBlock; }
};

// Items of forward: (sample, head, block of queries); of backward: (sample, group of heads).
struct Attention {
  void (*forward_float32)(const AttentionWork& work, int64_t begin, int64_t end);
  void (*forward_bfloat16)(const AttentionWork& work, int64_t begin, int64_t end);
  void (*backward_float32)(const AttentionWork& work, int64_t begin, int64_t end);
  void (*backward_bfloat16)(const AttentionWork& work, int64_t begin, int64_t end);
};

extern const Attention kAttentionBaseline;
#ifdef MAINSTEM_AVX2
extern const Attention kAttentionAvx2;
#endif
#ifdef MAINSTEM_AVX512
extern const Attention kAttentionAvx512;
#endif

}  // namespace mainstem
