// Attention's part of the C ABI; see api.h for what all of it has in common.
#pragma once
#include "api.h"

// out[b, h, q] = sum over c of w[b, h, q, c] * value[b, g, c], g = h / (heads / groups), where w is the softmax over c
// of scale * query[b, h, q] . key[b, g, c], dropped after the softmax. The last axis, `width` elements, lies side by
// side; the distances between samples, heads and positions, in elements, are each array's own.
struct MainstemAttention {
  int64_t batch, heads, groups, queries, keys, width;
  int64_t causal;   // 1: query q sees the keys up to keys - queries + q; 0: all keys
  int64_t context;  // the weights' rows are numbered head * context + query, `context` wide; 0 without dropout
  // The last four are of backward only.
  int64_t query[3], key[3], value[3], out[3], dout[3], dquery[3], dkey[3], dvalue[3];
};

// What has no room among MainstemStatus.
constexpr int32_t kMainstemNoMemory = 20;

// lse: float [batch, heads, queries], the logarithm of the sum of exponentials. documents: [batch, keys], or null: a
// query sees the keys of its own document only (queries = keys). threshold, key and samples, see api.h: all null
// without dropout. Arithmetic is float32 whatever the storage.
MAINSTEM_API int32_t mainstem_attention(void* out, float* lse, const void* query_array, const void* key_array,
                                        const void* value_array, int64_t dtype, const MainstemAttention* shape,
                                        double scale, const int64_t* documents, const int64_t* threshold,
                                        const int64_t* key, const int64_t* samples, int64_t site, int64_t variant);
MAINSTEM_API int32_t mainstem_attention_backward(void* dquery, void* dkey, void* dvalue, const void* dout,
                                                 const void* out, const float* lse, const void* query_array,
                                                 const void* key_array, const void* value_array, int64_t dtype,
                                                 const MainstemAttention* shape, double scale,
                                                 const int64_t* documents, const int64_t* threshold,
                                                 const int64_t* key, const int64_t* samples, int64_t site,
                                                 int64_t variant);
