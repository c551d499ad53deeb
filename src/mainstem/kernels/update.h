// An optimizer's arithmetic on a run of elements: what an instruction set offers to update_api.cpp.
#pragma once
#include <cstdint>

namespace mainstem {

// a <- a + weight * (b - a), from the nearer end, so that a weight of 1 gives b itself.
struct Lerp {
  float coef;
  bool from_b;
};

// Pointers are to the run's first elements; average and master may be null. Each `half` says that storage is bfloat16.
struct AdamwRun {
  int64_t count;
  void* param;
  const void* grad;
  void* exp_avg;
  void* exp_avg_sq;
  float* average;
  float* master;
  bool half_param, half_grad, half_moments;
  Lerp first, follow;
  float share, beta2, beta2_rest, inverse_root, eps, keep, rate;
};

struct MomentumRun {
  int64_t count;
  void* buffer;
  const void* grad;
  float* update;
  bool half_buffer, half_grad;
  Lerp gather, look;
  float share;
};

struct StepRun {
  int64_t count;
  void* param;
  const void* update;
  float* average;
  float* master;
  bool half_param, half_update;
  Lerp follow;
  float keep, size;
};

struct Update {
  double (*squares)(const void* x, int64_t count, bool half);
  void (*adamw)(const AdamwRun& run);
  void (*momentum)(const MomentumRun& run);
  void (*step)(const StepRun& run);
};

extern const Update kUpdateBaseline;
#ifdef MAINSTEM_AVX2
extern const Update kUpdateAvx2;
#endif
#ifdef MAINSTEM_AVX512
extern const Update kUpdateAvx512;
#endif

}  // namespace mainstem
