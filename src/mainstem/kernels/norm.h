// Root-mean-square normalisation of rows: what a variant offers to norm_api.cpp.
#pragma once
#include <cstdint>

namespace mainstem {

// Rows at a constant distance from each other (strides count elements); of a row the columns lie side by side.
// Elements are float or bfloat16, by the function that is called; gain may be null, which is a gain of 1.
struct NormRows {
  int64_t rows, columns;
  const void* x;
  int64_t x_stride;
  void* y;  // of backward: dx
  int64_t y_stride;
  const void* dy;
  int64_t dy_stride;
  const float* gain;
  const float *cosine, *sine;  // [rows, columns / 2] of the angles by which pairs are rotated behind gain, or null
  float* inverse;  // [rows], 1 / sqrt(mean(x^2) + eps): written by forward, read by backward
  float* dgain;    // [columns], added to; null where gain is
  float eps;
};

struct Norm {
  void (*forward_float32)(const NormRows& rows);
  void (*forward_bfloat16)(const NormRows& rows);
  void (*backward_float32)(const NormRows& rows);
  void (*backward_bfloat16)(const NormRows& rows);
  // sum[i] = parts[0][i] + parts[1][i] + ..., in this order; parts is [count, columns].
  void (*sum)(float* sum, const float* parts, int64_t count, int64_t columns);
};

extern const Norm kNormBaseline;
#ifdef MAINSTEM_AVX2
extern const Norm kNormAvx2;
#endif
#ifdef MAINSTEM_AVX512
extern const Norm kNormAvx512;
#endif

}  // namespace mainstem
