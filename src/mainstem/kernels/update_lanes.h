// An optimizer's arithmetic, written once and compiled for each instruction set; internal linkage, see keep_lanes.h.
//
// Elementwise loops are left to the compiler's vectoriser: each element is computed by the same operations in every
// variant, without contraction, so that all of them give the same bits. Sums have sixteen lanes everywhere.
#pragma once
#include <cstdint>
#include <cstring>

#include "update.h"

namespace mainstem {
namespace {

constexpr int64_t kBlock = 512;  // bfloat16 is widened in blocks that stay in the first cache

inline float widen(uint16_t half) {
  const uint32_t bits = static_cast<uint32_t>(half) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// To the nearest, ties to even; every NaN becomes the same one.
inline uint16_t narrow(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  const uint32_t rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
  return static_cast<uint16_t>((bits & 0x7FFFFFFF) > 0x7F800000 ? 0x7FC0 : rounded);
}

// The elements from `at` on as float: where they lie, or widened into `room`.
inline float* open(void* base, int64_t at, int64_t count, bool half, float* room) {
  if (!half) return static_cast<float*>(base) + at;
  const uint16_t* from = static_cast<const uint16_t*>(base) + at;
  for (int64_t i = 0; i < count; ++i) room[i] = widen(from[i]);
  return room;
}

inline const float* open(const void* base, int64_t at, int64_t count, bool half, float* room) {
  return open(const_cast<void*>(base), at, count, half, room);
}

inline void close(void* base, int64_t at, int64_t count, bool half, const float* from) {
  if (!half) return;
  uint16_t* to = static_cast<uint16_t*>(base) + at;
  for (int64_t i = 0; i < count; ++i) to[i] = narrow(from[i]);
}

template <class Real>
inline Real lerp(Real a, Real b, Lerp by) { return (by.from_b ? b : a) + by.coef * (b - a); }

// A register of doubles, and as many floats: sums of anything wider the compiler keeps in memory, where each addition
// waits for the one before to come back.
#if defined(__AVX512F__)
constexpr int kDoubles = 8;
#elif defined(__AVX2__)
constexpr int kDoubles = 4;
#else
constexpr int kDoubles = 2;
#endif
constexpr int kSums = 16 / kDoubles;
using Doubles = double __attribute__((vector_size(8 * kDoubles)));
using Singles = float __attribute__((vector_size(4 * kDoubles)));

inline void add_squares(Doubles* sums, const float* from) {
#pragma GCC unroll 8
  for (int i = 0; i < kSums; ++i) {
    Singles value;
    std::memcpy(&value, from + i * kDoubles, sizeof value);
    const Doubles wide = __builtin_convertvector(value, Doubles);
    sums[i] = sums[i] + wide * wide;
  }
}

double squares(const void* x, int64_t count, bool half) {
  Doubles sums[kSums] = {};
  float room[kBlock];
  for (int64_t at = 0; at < count; at += kBlock) {
    const int64_t length = count - at < kBlock ? count - at : kBlock;
    const float* from = open(x, at, length, half, room);
    int64_t i = 0;
    for (; i + 16 <= length; i += 16) add_squares(sums, from + i);
    if (i < length) {
      float rest[16] = {};
      std::memcpy(rest, from + i, static_cast<size_t>(length - i) * sizeof(float));
      add_squares(sums, rest);
    }
  }
  double lanes[16], sum = 0;
  std::memcpy(lanes, sums, sizeof lanes);
  for (int i = 0; i < 8; ++i) sum += lanes[i] + lanes[i + 8];
  return sum;
}

template <bool kAverage>
void adamw_block(int64_t count, float* __restrict p, const float* __restrict g, float* __restrict m,
                 float* __restrict v, float* __restrict a, const AdamwRun r) {
  for (int64_t i = 0; i < count; ++i) {
    const float grad = g[i] * r.share;
    const float mean = lerp(m[i], grad, r.first);
    const float square = v[i] * r.beta2 + r.beta2_rest * grad * grad;
    const float weight = p[i] * r.keep - r.rate * mean / (__builtin_sqrtf(square) * r.inverse_root + r.eps);
    m[i] = mean;
    v[i] = square;
    p[i] = weight;
    if (kAverage) a[i] = lerp(a[i], weight, r.follow);
  }
}

template <bool kAverage>
void step_block(int64_t count, float* __restrict p, const float* __restrict u, float* __restrict a, const StepRun r) {
  for (int64_t i = 0; i < count; ++i) {
    const float weight = p[i] * r.keep - r.size * u[i];
    p[i] = weight;
    if (kAverage) a[i] = lerp(a[i], weight, r.follow);
  }
}

void momentum_block(int64_t count, float* __restrict b, const float* __restrict g, float* __restrict u,
                    const MomentumRun r) {
  for (int64_t i = 0; i < count; ++i) {
    // Muon's products amplify what is rounded here, so the two steps are rounded once each, at their end.
    const double grad = static_cast<double>(g[i]) * r.share;
    const double gathered = lerp(static_cast<double>(b[i]), grad, r.gather);
    b[i] = static_cast<float>(gathered);
    u[i] = static_cast<float>(lerp(grad, gathered, r.look));
  }
}

// The average follows what is stored: where that is a parameter of bfloat16 it has to be rounded first.
inline void follow(int64_t count, float* __restrict a, const uint16_t* p, Lerp by) {
  for (int64_t i = 0; i < count; ++i) a[i] = lerp(a[i], widen(p[i]), by);
}

// Calls visit(at, length) for all elements, in blocks only where something has to be widened.
template <class Visit>
inline void blocks(int64_t count, bool half, const Visit& visit) {
  const int64_t block = half ? kBlock : count;
  for (int64_t at = 0; at < count; at += block) visit(at, count - at < block ? count - at : block);
}

void adamw(const AdamwRun& r) {
  float rooms[4][kBlock];
  const bool rounded = r.half_param && r.average != nullptr;
  blocks(r.count, r.half_param || r.half_grad || r.half_moments, [&](int64_t at, int64_t length) {
    float* p = r.master != nullptr ? r.master + at : open(r.param, at, length, r.half_param, rooms[0]);
    const float* g = open(r.grad, at, length, r.half_grad, rooms[1]);
    float* m = open(r.exp_avg, at, length, r.half_moments, rooms[2]);
    float* v = open(r.exp_avg_sq, at, length, r.half_moments, rooms[3]);
    if (r.average != nullptr && !rounded) {
      adamw_block<true>(length, p, g, m, v, r.average + at, r);
    } else {
      adamw_block<false>(length, p, g, m, v, nullptr, r);
    }
    close(r.exp_avg, at, length, r.half_moments, m);
    close(r.exp_avg_sq, at, length, r.half_moments, v);
    close(r.param, at, length, r.half_param, p);
    if (rounded) follow(length, r.average + at, static_cast<const uint16_t*>(r.param) + at, r.follow);
  });
}

void momentum(const MomentumRun& r) {
  float rooms[2][kBlock];
  blocks(r.count, r.half_buffer || r.half_grad, [&](int64_t at, int64_t length) {
    float* b = open(r.buffer, at, length, r.half_buffer, rooms[0]);
    momentum_block(length, b, open(r.grad, at, length, r.half_grad, rooms[1]), r.update + at, r);
    close(r.buffer, at, length, r.half_buffer, b);
  });
}

void step(const StepRun& r) {
  float rooms[2][kBlock];
  const bool rounded = r.half_param && r.average != nullptr;
  blocks(r.count, r.half_param || r.half_update, [&](int64_t at, int64_t length) {
    float* p = r.master != nullptr ? r.master + at : open(r.param, at, length, r.half_param, rooms[0]);
    const float* u = open(r.update, at, length, r.half_update, rooms[1]);
    if (r.average != nullptr && !rounded) {
      step_block<true>(length, p, u, r.average + at, r);
    } else {
      step_block<false>(length, p, u, nullptr, r);
    }
    close(r.param, at, length, r.half_param, p);
    if (rounded) follow(length, r.average + at, static_cast<const uint16_t*>(r.param) + at, r.follow);
  });
}

constexpr Update kUpdate = {squares, adamw, momentum, step};

}  // namespace
}  // namespace mainstem
