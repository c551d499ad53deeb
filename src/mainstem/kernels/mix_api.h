// The C ABI of ops.mix_streams and ops.depth_sum.
#pragma once
#include "api.h"

// Per token: S streams h of `columns` elements, and weights [S, S + 2] float32: column 0 reads, columns 1..S mix, the
// last one writes. Null pointers leave a stage out; `next` is h where nothing is written.
//   write:  next_t = weights[t, S + 1] y + sum_s weights[s, 1 + t] h_s
//   weigh:  z_sk = project_k . next_s / rms(next_s),  out_sk = base_sk + scale_k tanh(z_sk)
//           with scale_k = scales[0] for k <= S, scales[1] for k = S + 1; without project, out = base
//   read:   x = sum_s out[s, 0] next_s
struct MainstemMix {
  int64_t tokens, streams, columns, dtype;
  int64_t weights_stride, base_stride;  // floats from token to token, 0 where all have the same
  double eps;
  const void *h, *y;
  void* next;                           // written by forward where y is given
  const float *weights, *base, *project, *scales;
  void* x;
  float *out, *z, *inverse;             // [tokens, S, S + 2] twice and [tokens, S]; of project
  // Backward only.
  const void *dnext, *dx;               // each may be null, which is 0
  const float* dout;                    // of project; may be null
  void *dh, *dy;
  float *dweights, *dbase;              // [tokens, S, S + 2] where that is the stride; else gathered in parts
  // [chunks, part]: gradients of project [S + 2, columns], of weights, of base and of tanh's factors, each of these
  // three [S, S + 2], up to a multiple of 16 floats; behind them one token's streams, which are not part of the sum,
  // up to the next multiple.
  float *parts, *sums;
  int64_t chunk;                        // tokens of one partial sum
};

MAINSTEM_API int32_t mainstem_mix(const MainstemMix* mix, int64_t variant);
// sums: as in parts, without the streams, added in the order of the chunks.
MAINSTEM_API int32_t mainstem_mix_backward(const MainstemMix* mix, int64_t variant);

// y = sum_j a[j] x[j] over `count` arrays of `elements`, in the order of `order`: the first of it is multiplied, the
// others are added.
struct MainstemDepth {
  int64_t count, elements, dtype, chunk;
  const void* const* x;
  const float* a;
  const int64_t* order;
  void* y;
  // Backward: dx[j] = a[j] dy where dx[j] is not null, da[j] = dy . x[j]; parts [chunks, count].
  const void* dy;
  void* const* dx;
  float *parts, *da;
};

MAINSTEM_API int32_t mainstem_depth_sum(const MainstemDepth* depth, int64_t variant);
MAINSTEM_API int32_t mainstem_depth_sum_backward(const MainstemDepth* depth, int64_t variant);
