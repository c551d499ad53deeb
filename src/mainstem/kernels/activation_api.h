// The C ABI of ops.activation.
#pragma once
#include "api.h"

// x, gate and y are [samples, rows, columns], contiguous; each sample's rows are numbered from 0.
// samples = null: no dropout, and threshold, key and site are not looked at. y = dropout(phi(x)), phi by `kind`:
// 0 x P(X <= x), 1 and 3 max(x, 0)^2, 2 gate / (1 + exp(-gate)) * x; gate is null for all but 2. Backward of 3 reads y
// in place of x, and draws nothing. y may be x, and dx may be dy: arrays are then written over.
struct MainstemActivation {
  int64_t num_samples, rows, columns, dtype, kind;
  const int64_t *threshold, *key, *samples;
  int64_t site;
};

MAINSTEM_API int32_t mainstem_activation(void* y, const void* x, const void* gate, const MainstemActivation* shape,
                                         int64_t variant);
// dgate is null where gate is.
MAINSTEM_API int32_t mainstem_activation_backward(void* dx, void* dgate, const void* dy, const void* x,
                                                  const void* gate, const MainstemActivation* shape, int64_t variant);
