// Dropout, the residual sum and the norm behind it, row by row: what a variant offers to dropout_add_norm_api.cpp.
#pragma once
#include <cstdint>

namespace mainstem {

// Rows one after the other, without gaps. Elements of x and dx have one type, those of residual, stream, normed and
// their gradients another; each is float or bfloat16, by the function that is called. gain and bias may be null.
struct FusedRows {
  int64_t rows, columns;
  const void* x;
  const void* residual;
  void* stream;         // of backward: the gradient of residual
  void* normed;
  float* inverse;       // [rows], 1 / sqrt(mean square or variance + eps): written by forward, read by backward
  float* mean;          // [rows], of a layer norm; null for a root-mean-square norm
  const float* gain;
  const float* bias;
  const uint8_t* bits;  // keep bits of the rows, `groups` bytes each; null where everything is kept
  int64_t groups;
  float factor;         // of a kept element of x
  float eps;
  // Of backward alone.
  const void* written;  // the stream as forward wrote it
  const void* dstream;  // null for zeros
  const void* dnormed;
  void* dx;             // null where nobody asks for it
  float* dgain;         // [columns], added to; null where gain is
  float* dbias;         // [columns], added to; null where bias is
};

struct DropoutAddNorm {
  void (*forward[2][2])(const FusedRows& rows);   // [x is bfloat16][the stream is bfloat16]
  void (*backward[2][2])(const FusedRows& rows);
};

extern const DropoutAddNorm kDropoutAddNormBaseline;
#ifdef MAINSTEM_AVX2
extern const DropoutAddNorm kDropoutAddNormAvx2;
#endif
#ifdef MAINSTEM_AVX512
extern const DropoutAddNorm kDropoutAddNormAvx512;
#endif

}  // namespace mainstem
