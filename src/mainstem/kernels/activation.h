// Activations with dropout: what a variant offers to activation_api.cpp.
#pragma once
#include <cstdint>

#include "variant.h"

namespace mainstem {

// The last is a squared ReLU whose backward is given what its forward returned, in place of x.
enum ActivationKind : int64_t { kGelu = 0, kSquaredRelu = 1, kSwiglu = 2, kSquaredReluResult = 3 };
constexpr int kActivationKinds = 4;

// A stretch of one row. Elements are float or bfloat16, by the function that is called.
struct ActivationRun {
  int64_t count;
  const void* x;
  const void* gate;     // of swiglu, else null
  const void* dy;       // of backward
  void* y;              // of backward: dx
  void* dgate;          // of backward of swiglu
  const uint8_t* bits;  // keep decisions, bit i for element i; null keeps all
  float scale;          // factor on what is kept
};

using ActivationFunction = void (*)(const ActivationRun& run);

// By [kind][0: float32, 1: bfloat16].
struct Activation {
  ActivationFunction forward[kActivationKinds][2], backward[kActivationKinds][2];
};

extern const Activation kActivationBaseline;
#ifdef MAINSTEM_AVX2
extern const Activation kActivationAvx2;
#endif
#ifdef MAINSTEM_AVX512
extern const Activation kActivationAvx512;
#endif

}  // namespace mainstem
