// The C ABI of the optimizer's passes over lists of tensors; part of api.h's, in a file of its own.
#pragma once
#include "api.h"

// `count` tensors; tensor i has the elements [starts[i], starts[i + 1]) of the whole, starts[0] = 0. Its elements lie
// side by side, in the same order in every list. A list may be null where its comment says so.
struct MainstemAdamw {
  int64_t count;
  const int64_t* starts;
  void* const* params;
  const void* const* grads;
  void* const* exp_avgs;
  void* const* exp_avg_sqs;
  float* const* steps;     // how many updates there were: one number each, which goes up by 1
  float* const* averages;  // or null
  float* const* masters;   // the weights, of which params are then a rounded copy; or null
  const int64_t* halves;   // bit 0: the parameter is bfloat16; bit 1: the gradient; bit 2: both moments
  const double* rates;     // [count], lr
  const double* decays;    // [count], weight decay
  const float* norm;       // of all gradients together, or null
  double beta1, beta2, eps, average_decay, max_norm;
};

struct MainstemMomentum {
  int64_t count;
  const int64_t* starts;
  void* const* buffers;
  const void* const* grads;
  float* const* updates;  // written
  const int64_t* halves;  // bit 0: the buffer is bfloat16; bit 1: the gradient
  const float* norm;      // or null
  double momentum, max_norm;
};

struct MainstemStep {
  int64_t count;
  const int64_t* starts;
  void* const* params;
  const void* const* updates;
  float* const* averages;  // or null
  float* const* masters;   // or null
  const int64_t* halves;   // bit 0: the parameter is bfloat16; bit 1: the update
  const double* keeps;     // [count], what the weight is multiplied by
  const double* sizes;     // [count], what the update is multiplied by before it is subtracted
  double average_decay;
};

// Elements of one partial sum of the norm, and of one thread's least piece of work.
constexpr int64_t kMainstemUpdateChunk = 32768;

// norm: sqrt(sum of squares), the sum in double, first of `parts` chunks: [ceil(elements / chunk)]. halves[i]: tensor i
// is bfloat16. A max_norm and a norm make gradients share = min(1, max_norm / norm) times as large, and 1 where the
// norm is not finite or max_norm is 0.
MAINSTEM_API int32_t mainstem_update_norm(float* norm, double* parts, int64_t count, const int64_t* starts,
                                          const void* const* grads, const int64_t* halves, int64_t variant);
MAINSTEM_API int32_t mainstem_update_adamw(const MainstemAdamw* lists, int64_t variant);
MAINSTEM_API int32_t mainstem_update_momentum(const MainstemMomentum* lists, int64_t variant);
MAINSTEM_API int32_t mainstem_update_step(const MainstemStep* lists, int64_t variant);
