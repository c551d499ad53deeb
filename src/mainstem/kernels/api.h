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

// Rows of `columns` elements side by side, numbered as [outer, middle, inner]. The distances between rows along these
// three, in elements, are each array's own, so that transposed arrays are read where they lie.
struct MainstemRows {
  int64_t outer, middle, inner, columns;
  int64_t x[3], y[3], dy[3];
  // Both [inner, columns / 2], contiguous, or null: columns i and i + columns / 2 of y are rotated by these angles.
  const float *cosine, *sine;
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
// Of x, [batch, each], whole samples: each has the decision of its first element under dropout of [batch, 1].
MAINSTEM_API int32_t mainstem_drop_path(void* y, const void* x, int64_t dtype, int64_t batch, int64_t each,
                                        const int64_t* threshold, const int64_t* key, const int64_t* samples,
                                        int64_t site, int64_t variant);
// out: uint8 [before, batch, between, ceil(columns / 8)]; bits beyond the last column are 0.
MAINSTEM_API int32_t mainstem_mask_bits(uint8_t* out, const MainstemShape* shape, const int64_t* threshold,
                                        const int64_t* key, const int64_t* samples, int64_t site, int64_t variant);

// y = x / sqrt(mean(x^2) + eps) * gain. inverse: [rows], 1 / sqrt(mean(x^2) + eps), for backward. gain: [columns] or
// null; it and all arithmetic are float32, whatever the storage of x and y.
MAINSTEM_API int32_t mainstem_rms_norm(void* y, float* inverse, const void* x, const float* gain, int64_t dtype,
                                       const MainstemRows* shape, double eps, int64_t variant);
// shape.y is the layout of dx. dgain: [columns], the sum of parts, [ceil(rows / chunk), columns], each of them over
// `chunk` rows: its bits depend on chunk and not on threads. dgain and parts are not touched where gain is null.
MAINSTEM_API int32_t mainstem_rms_norm_backward(void* dx, float* dgain, float* parts, const void* dy, const void* x,
                                                const float* gain, const float* inverse, int64_t dtype,
                                                const MainstemRows* shape, int64_t chunk, int64_t variant);

// Goes up with every change to what api.h and *_api.h declare; ops/library.py refuses a library of another number.
constexpr int32_t kMainstemAbi = 9;
MAINSTEM_API int32_t mainstem_abi();

MAINSTEM_API int64_t mainstem_num_variants();
MAINSTEM_API const char* mainstem_variant_name(int64_t index);

// The address of torch_parallel_for of libtorch_cpu, or null to run in the calling thread.
MAINSTEM_API void mainstem_set_parallel_for(void* address);
