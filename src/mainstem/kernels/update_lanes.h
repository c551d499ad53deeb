// AdamW and sums of squares, as loops that the compiler turns into vectors: included by one update_*.cpp per
// instruction set; internal linkage, see keep_lanes.h. Each element is computed by itself and without contraction, and
// sums run over sixteen lanes everywhere, so that every variant gives the same bits.
#pragma once
#include <cstdint>

#include "update.h"

namespace mainstem {
namespace {

// GCC believes `restrict` of parameters, and not of variables: five tables are too many to compare as it runs.
template <bool kAverage>
inline void adamw_elements(float* __restrict weight, const float* __restrict gradient, float* __restrict mean,
                           float* __restrict square, float* __restrict average, int64_t count, const AdamwFactors f) {
  for (int64_t i = 0; i < count; ++i) {
    const float g = gradient[i] * f.share;
    const float m = mean[i] + f.mean_rate * (g - mean[i]);
    const float v = square[i] * f.beta2 + f.square_rate * g * g;
    const float w = weight[i] * f.keep - f.rate * (m / (__builtin_sqrtf(v) + f.eps));
    mean[i] = m;
    square[i] = v;
    weight[i] = w;
    if (kAverage) average[i] = average[i] + f.average_rate * (w - average[i]);
  }
}

void adamw(const AdamwStretch& part, const AdamwFactors& factors) {
  const auto run = part.average == nullptr ? adamw_elements<false> : adamw_elements<true>;
  run(part.weight, part.gradient, part.mean, part.square, part.average, part.count, factors);
}

double squares(const float* from, int64_t count) {
  constexpr int kLanes = 16;
  double lane[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int j = 0; j < kLanes; ++j) {
      const double value = from[i + j];
      lane[j] += value * value;
    }
  }
  for (; i < count; ++i) lane[i % kLanes] += static_cast<double>(from[i]) * from[i];
  double total = 0;
  for (const double value : lane) total += value;
  return total;
}

constexpr Update kUpdate = {adamw, squares};

}  // namespace
}  // namespace mainstem
