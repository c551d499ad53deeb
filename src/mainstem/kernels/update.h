// The update of weights: what a variant offers to update_api.cpp.
#pragma once
#include <cstdint>

#include "variant.h"

namespace mainstem {

// One stretch of one tensor; average may be null.
struct AdamwStretch {
  float* weight;
  const float* gradient;
  float* mean;
  float* square;
  float* average;
  int64_t count;
};

// What is the same for all elements of a call.
struct AdamwFactors {
  float share;           // gradients are multiplied by it: what clipping leaves of them
  float keep;            // 1 - lr * decay
  float mean_rate;       // 1 - beta1
  float beta2, square_rate;  // square_rate = 1 - beta2
  float rate;            // lr / (1 - beta1^step) * sqrt(1 - beta2^step): the root's correction, once for all
  float eps;             // eps * sqrt(1 - beta2^step)
  float average_rate;    // 1 - decay of the average
};

struct Update {
  void (*adamw)(const AdamwStretch& part, const AdamwFactors& factors);
  double (*squares)(const float* from, int64_t count);
};

// That of the instruction set; the baseline's where it has none of its own.
const Update& update_for(const Variant& variant);

extern const Update kUpdateBaseline;
#ifdef MAINSTEM_AVX2
extern const Update kUpdateAvx2;
#endif
#ifdef MAINSTEM_AVX512
extern const Update kUpdateAvx512;
#endif

}  // namespace mainstem
