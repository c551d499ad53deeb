// Sixteen float lanes over a row of float or bfloat16, written once for all instruction sets.
//
// Included, by way of an op's own *_lanes.h, in one file per instruction set; internal linkage, see keep_lanes.h. There
// are sixteen lanes everywhere, in more than one register where registers are narrower, and a column is summed in the
// same lane by all, so that every variant gives the same bits.
#pragma once
#include <cstdint>
#include <cstring>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace mainstem {
namespace {

constexpr int64_t kLanes = 16;
#if defined(__AVX512F__)
constexpr int kWidth = 16;
#elif defined(__AVX2__)
constexpr int kWidth = 8;
#else
constexpr int kWidth = 4;
#endif
constexpr int kRegisters = kLanes / kWidth;

using Float = float __attribute__((vector_size(4 * kWidth)));
using Word = uint32_t __attribute__((vector_size(4 * kWidth)));
using Half = uint16_t __attribute__((vector_size(2 * kWidth)));

struct Floats {
  Float part[kRegisters];
};

template <class Operation>
inline Floats each(const Operation& operation) {
  Floats result;
  for (int i = 0; i < kRegisters; ++i) result.part[i] = operation(i);
  return result;
}

inline Floats operator+(const Floats& a, const Floats& b) {
  return each([&](int i) { return a.part[i] + b.part[i]; });
}
inline Floats operator-(const Floats& a, const Floats& b) {
  return each([&](int i) { return a.part[i] - b.part[i]; });
}
inline Floats operator*(const Floats& a, const Floats& b) {
  return each([&](int i) { return a.part[i] * b.part[i]; });
}
inline Floats operator+(const Floats& a, float b) {
  return each([&](int i) { return a.part[i] + b; });
}
inline Floats operator*(const Floats& a, float b) {
  return each([&](int i) { return a.part[i] * b; });
}
inline Floats zeros() {
  return each([](int) { return Float{}; });
}

inline Floats load(const float* from) {
  return each([&](int i) {
    Float value;
    std::memcpy(&value, from + i * kWidth, sizeof value);
    return value;
  });
}

inline Floats load(const uint16_t* from) {
  return each([&](int i) {
#if defined(__AVX2__) && !defined(__AVX512F__)
    // Of the vectors GCC makes two conversions and puts their results together.
    const Word bits = Word(_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i * kWidth)))) << 16;
#else
    Half half;
    std::memcpy(&half, from + i * kWidth, sizeof half);
    const Word bits = __builtin_convertvector(half, Word) << 16;
#endif
    Float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  });
}

inline void store(float* to, const Floats& value) {
  for (int i = 0; i < kRegisters; ++i) std::memcpy(to + i * kWidth, &value.part[i], sizeof(Float));
}

// To the nearest bfloat16, ties to even; every NaN becomes the same one, so that variants agree on the bits.
inline Word rounded(Float value) {
  Word bits;
  std::memcpy(&bits, &value, sizeof bits);
  const Word nan = Word(value != value);
  bits = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
  return (bits & ~nan) | (nan & 0x7FC0);
}

inline void store(uint16_t* to, const Floats& value) {
#if defined(__AVX2__) && !defined(__AVX512F__)
  // GCC takes thirteen instructions for each register to narrow it. Packing goes by halves of registers.
  const __m256i low = __m256i(rounded(value.part[0])), high = __m256i(rounded(value.part[1]));
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(low, high), 0xD8);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), packed);
#else
  for (int i = 0; i < kRegisters; ++i) {
    const Half half = __builtin_convertvector(rounded(value.part[i]), Half);
    std::memcpy(to + i * kWidth, &half, sizeof half);
  }
#endif
}

// Of the first `count` elements, and zeros in the other lanes.
template <class Element>
inline Floats load(const Element* from, int64_t count) {
  if (count == kLanes) return load(from);
  Element whole[kLanes] = {};
  std::memcpy(whole, from, static_cast<size_t>(count) * sizeof(Element));
  return load(whole);
}

template <class Element>
inline void store(Element* to, const Floats& value, int64_t count) {
  if (count == kLanes) return store(to, value);
  Element whole[kLanes];
  store(whole, value);
  std::memcpy(to, whole, static_cast<size_t>(count) * sizeof(Element));
}

#if defined(__AVX512F__)
// Bytes through a buffer cost more than the arithmetic of a short row; here the registers have masks.
inline Floats load(const float* from, int64_t count) {
  if (count == kLanes) return load(from);
  Floats value;
  value.part[0] = _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1u), from);
  return value;
}

inline void store(float* to, const Floats& value, int64_t count) {
  if (count == kLanes) return store(to, value);
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << count) - 1u), value.part[0]);
}
#endif

// Lane i and lane i + 8 first, then i + 4, i + 2 and i + 1, in registers: GCC adds up an array of lanes one by one.
#if defined(__SSE2__)
inline float total(__m128 four) {
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}
#endif

inline float total(const Floats& value) {
#if defined(__AVX512F__)
  const __m512 all = __m512(value.part[0]);
  const __m256 high = _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(all), 1));
  const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(all), high);
  return total(_mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1)));
#elif defined(__AVX2__)
  const __m256 eight = __m256(value.part[0] + value.part[1]);
  return total(_mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1)));
#elif defined(__SSE2__)
  return total(__m128((value.part[0] + value.part[2]) + (value.part[1] + value.part[3])));
#else
  const Float four = (value.part[0] + value.part[2]) + (value.part[1] + value.part[3]);
  return (four[0] + four[2]) + (four[1] + four[3]);
#endif
}

// Sixteen columns of a row: lanes [skip, count) of those that begin at column `at`.
struct Span {
  int64_t at, count, skip;
};

inline const Word* lane_numbers() {
  alignas(64) static const uint32_t numbers[kLanes] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  return reinterpret_cast<const Word*>(numbers);
}

// `value` where bits of `mask` are set in the lane, and +0 elsewhere, whatever stands there.
inline Floats choose(const Floats& value, const Word* mask) {
  return each([&](int i) {
    Word bits;
    std::memcpy(&bits, &value.part[i], sizeof bits);
    bits &= mask[i];
    Float chosen;
    std::memcpy(&chosen, &bits, sizeof chosen);
    return chosen;
  });
}

// The lanes that belong to the span, and zeros in the others: what a sum may take.
inline Floats own(const Floats& value, const Span& span) {
  if (span.count == kLanes && span.skip == 0) return value;
  Word mask[kRegisters];
  for (int i = 0; i < kRegisters; ++i) {
    const Word lane = lane_numbers()[i];
    mask[i] = Word(lane >= static_cast<uint32_t>(span.skip)) & Word(lane < static_cast<uint32_t>(span.count));
  }
  return choose(value, mask);
}

// A store might change anything that lies in memory, so that what a visit takes from outside would be loaded again for
// each vector, unless all of it is in registers: loops are made part of their callers, who copy what they are given.
#if defined(__SANITIZE_ADDRESS__)
#define MAINSTEM_INLINE inline  // with a check at each access the compiler would take many minutes
#else
#define MAINSTEM_INLINE __attribute__((always_inline)) inline
#endif

// Calls visit(span) over a row. The end of a row that is no multiple of sixteen is read together with columns that
// were already seen, so that it is whole vectors too: what is stored there twice is stored with equal bits, and sums
// take `own` alone. Only a row shorter than a vector is read in part.
template <class Visit>
MAINSTEM_INLINE void over(int64_t columns, const Visit& visit) {
  int64_t column = 0;
  for (; column + kLanes <= columns; column += kLanes) visit(Span{column, kLanes, 0});
  if (column == columns) return;
  if (column > 0) {
    visit(Span{columns - kLanes, kLanes, column + kLanes - columns});
  } else {
    visit(Span{0, columns, 0});
  }
}

// Calls visit(column, count) for whole vectors, with the constant, and then for the rest: for what is added to or
// overwritten where it stands, and so may be visited only once.
template <class Visit>
MAINSTEM_INLINE void once(int64_t columns, const Visit& visit) {
  int64_t column = 0;
  for (; column + kLanes <= columns; column += kLanes) visit(column, kLanes);
  if (column < columns) visit(column, columns - column);
}

}  // namespace
}  // namespace mainstem
