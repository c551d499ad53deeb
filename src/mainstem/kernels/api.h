// The C ABI of the library: all that Python calls. No torch headers, so that one build serves every torch >= 2.10.
#pragma once
#include <cstdint>

#define MAINSTEM_API extern "C" __attribute__((visibility("default")))

// How an array lies in memory, and how its elements are numbered within a sample.
// The array is [before, batch, between, columns], contiguous; a sample's rows are its before x between ones.
// context = 0: row p * between + q, of width columns. context > 0 (attention weights; before = 1): q is
// head * queries + query, and its row head * context + query, of width context.
struct MainstemShape {
  int64_t before, batch, between, columns, queries, context;
};

enum MainstemDtype : int64_t { kMainstemFloat32 = 0, kMainstemBfloat16 = 1 };

// 0 is success. Pointers are trusted; everything else is looked at before anything is written.
enum MainstemStatus : int32_t {
  kMainstemOk = 0,
  kMainstemBadThreshold = 1,  // outside [0, 65536]
  kMainstemBadPass = 2,       // step outside [0, 2^28) or view outside [0, 16)
  kMainstemBadSample = 3,     // outside [0, 2^32)
  kMainstemBadShape = 4,      // negative, or more positions in a sample than the counter has
  kMainstemBadVariant = 5,    // not built, or not for this processor
  kMainstemBadDtype = 6,
};

// threshold: one number; key: seed, step, view; samples: one number per element of the batch axis.
// variant: -1 for the best this processor has.
MAINSTEM_API int32_t mainstem_dropout(void* y, const void* x, int64_t dtype, const MainstemShape* shape,
                                      const int64_t* threshold, const int64_t* key, const int64_t* samples,
                                      int64_t site, int64_t variant);
// out: uint8 [before, batch, between, ceil(columns / 8)]; bits beyond the last column are 0.
MAINSTEM_API int32_t mainstem_mask_bits(uint8_t* out, const MainstemShape* shape, const int64_t* threshold,
                                        const int64_t* key, const int64_t* samples, int64_t site, int64_t variant);

// Goes up with every change to this file; ops/library.py refuses a library of another number.
MAINSTEM_API int32_t mainstem_abi();

MAINSTEM_API int64_t mainstem_num_variants();
MAINSTEM_API const char* mainstem_variant_name(int64_t index);

// The address of torch_parallel_for of libtorch_cpu, or null to run in the calling thread.
MAINSTEM_API void mainstem_set_parallel_for(void* address);
