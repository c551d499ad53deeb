// The C ABI of updates: many tensors in one call.
#pragma once
#include "api.h"

// Tensors as tables of pointers, each to sizes[i] floats side by side; average may be null, or holds no null.
struct MainstemTensors {
  int64_t count;
  const int64_t* sizes;
  float* const* weight;
  const float* const* gradient;
  float* const* mean;
  float* const* square;
  float* const* average;
};

// With g = share * gradient: mean += (1 - beta1) (g - mean); square = beta2 square + (1 - beta2) g^2;
// weight = (1 - lr decay) weight - lr / (1 - beta1^step) mean / (sqrt(square) / sqrt(1 - beta2^step) + eps);
// average += (1 - average_decay) (weight - average).
struct MainstemAdamw {
  double lr, beta1, beta2, eps, decay, step, share, average_decay;
};

MAINSTEM_API int32_t mainstem_adamw(const MainstemTensors* tensors, const MainstemAdamw* values, int64_t variant);

// out: one number, the sum of the squares of all elements of `gradient`; the other tables are not looked at. parts has
// room for a number for each chunk of 16384 elements of a tensor: chunks are summed in order, whatever the threads.
MAINSTEM_API int32_t mainstem_squares(double* out, double* parts, const MainstemTensors* tensors, int64_t variant);
