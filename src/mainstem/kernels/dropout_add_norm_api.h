// The C ABI of dropout, the residual sum and the norm in one pass; part of api.h's.
#pragma once
#include "api.h"

// The arrays are [samples, rows, columns], contiguous, columns at most kMainstemFusedColumns.
struct MainstemFused {
  int64_t samples, rows, columns;
  int64_t x_dtype, stream_dtype;  // of x and dx; of residual, stream, normed and their gradients
  int64_t layer;                  // 0 for a root-mean-square norm, 1 for a layer norm
  double eps, scale;
};

// What the mask is drawn from, as mainstem_dropout has it; threshold is null where nothing is dropped.
struct MainstemDraw {
  const int64_t* threshold;
  const int64_t* key;
  const int64_t* samples;
  int64_t site;
};

constexpr int64_t kMainstemFusedColumns = 65536;

// stream = residual + scale * dropout(x), normed = norm(stream) * gain + bias. inverse, mean: [samples * rows], what
// backward needs; mean is written for a layer norm alone. gain, bias: [columns] or null. They and all arithmetic are
// float32; each result is rounded once.
MAINSTEM_API int32_t mainstem_dropout_add_norm(void* stream, void* normed, float* inverse, float* mean, const void* x,
                                               const void* residual, const float* gain, const float* bias,
                                               const MainstemFused* shape, const MainstemDraw* draw, int64_t variant);
// dstream may be null, for zeros; dx may be null where nobody asks for it. dgain and dbias: [columns] each, or null.
// parts: [ceil(rows / chunk), 2, columns], the sums over `chunk` rows that they are the sum of: their bits depend on
// chunk and not on threads.
MAINSTEM_API int32_t mainstem_dropout_add_norm_backward(void* dresidual, void* dx, float* dgain, float* dbias,
                                                        float* parts, const void* dstream, const void* dnormed,
                                                        const void* stream, const float* inverse, const float* mean,
                                                        const float* gain, const MainstemFused* shape,
                                                        const MainstemDraw* draw, int64_t chunk, int64_t variant);
