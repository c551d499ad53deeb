// Root-mean-square normalisation over sixteen float lanes, written once for all instruction sets.
//
// Included by one norm_*.cpp per instruction set; internal linkage, see keep_lanes.h. There are
// sixteen lanes everywhere, in more than one register where registers are narrower: column i is always summed in lane
// i mod 16 and the lanes in one order, so that every variant gives the same bits.
#pragma once
#include <cstdint>
#include <cstring>

#include "norm.h"

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
    Half half;
    std::memcpy(&half, from + i * kWidth, sizeof half);
    const Word bits = __builtin_convertvector(half, Word) << 16;
    Float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  });
}

inline void store(float* to, const Floats& value) {
  for (int i = 0; i < kRegisters; ++i) std::memcpy(to + i * kWidth, &value.part[i], sizeof(Float));
}

// To the nearest bfloat16, ties to even; every NaN becomes the same one, so that variants agree on the bits.
inline void store(uint16_t* to, const Floats& value) {
  for (int i = 0; i < kRegisters; ++i) {
    Word bits;
    std::memcpy(&bits, &value.part[i], sizeof bits);
    const Word nan = Word(value.part[i] != value.part[i]);
    bits = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
    bits = (bits & ~nan) | (nan & 0x7FC0);
    const Half half = __builtin_convertvector(bits, Half);
    std::memcpy(to + i * kWidth, &half, sizeof half);
  }
}

// The end of a row: lanes beyond it hold 0 and are not written.
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

template <int kHalf>
inline void fold(float* lane) {
  for (int i = 0; i < kHalf; ++i) lane[i] += lane[i + kHalf];
}

inline float total(const Floats& value) {
  float lane[kLanes];
  store(lane, value);
  fold<8>(lane);
  fold<4>(lane);
  fold<2>(lane);
  return lane[0] + lane[1];
}

// Calls visit(column, count) for a row's whole vectors, with the constant, and then for the rest of it.
template <class Visit>
inline void over(int64_t columns, const Visit& visit) {
  int64_t column = 0;
  for (; column + kLanes <= columns; column += kLanes) visit(column, kLanes);
  if (column < columns) visit(column, columns - column);
}

template <class Element, bool kGain>
void forward_rows(const NormRows& r) {
  for (int64_t row = 0; row < r.rows; ++row) {
    const Element* x = static_cast<const Element*>(r.x) + row * r.x_stride;
    Element* y = static_cast<Element*>(r.y) + row * r.y_stride;
    Floats squares = zeros();
    over(r.columns, [&](int64_t at, int64_t count) __attribute__((always_inline)) {
      const Floats value = load(x + at, count);
      squares = squares + value * value;
    });
    const float inverse = 1.0f / __builtin_sqrtf(total(squares) / static_cast<float>(r.columns) + r.eps);
    r.inverse[row] = inverse;
    over(r.columns, [&](int64_t at, int64_t count) __attribute__((always_inline)) {
      Floats value = load(x + at, count) * inverse;
      if (kGain) value = value * load(r.gain + at, count);
      store(y + at, value, count);
    });
  }
}

// With n = x / rms(x) and g = dy * gain: dx = (g - n * mean(g n)) / rms(x), and dgain gathers dy * n.
template <class Element, bool kGain>
void backward_rows(const NormRows& r) {
  for (int64_t row = 0; row < r.rows; ++row) {
    const Element* x = static_cast<const Element*>(r.x) + row * r.x_stride;
    const Element* dy = static_cast<const Element*>(r.dy) + row * r.dy_stride;
    Element* dx = static_cast<Element*>(r.y) + row * r.y_stride;
    const float inverse = r.inverse[row];
    Floats products = zeros();
    over(r.columns, [&](int64_t at, int64_t count) __attribute__((always_inline)) {
      const Floats own = load(dy + at, count) * (load(x + at, count) * inverse);
      if (kGain) {
        store(r.dgain + at, load(r.dgain + at, count) + own, count);
        products = products + own * load(r.gain + at, count);
      } else {
        products = products + own;
      }
    });
    const float mean = total(products) / static_cast<float>(r.columns);
    over(r.columns, [&](int64_t at, int64_t count) __attribute__((always_inline)) {
      Floats scaled = load(dy + at, count);
      if (kGain) scaled = scaled * load(r.gain + at, count);
      store(dx + at, (scaled - load(x + at, count) * inverse * mean) * inverse, count);
    });
  }
}

template <class Element>
void forward(const NormRows& rows) {
  rows.gain == nullptr ? forward_rows<Element, false>(rows) : forward_rows<Element, true>(rows);
}

template <class Element>
void backward(const NormRows& rows) {
  rows.gain == nullptr ? backward_rows<Element, false>(rows) : backward_rows<Element, true>(rows);
}

void sum(float* out, const float* parts, int64_t count, int64_t columns) {
  over(columns, [&](int64_t at, int64_t width) __attribute__((always_inline)) {
    Floats all = zeros();
    for (int64_t part = 0; part < count; ++part) all = all + load(parts + part * columns + at, width);
    store(out + at, all, width);
  });
}

constexpr Norm kNorm = {forward<float>, forward<uint16_t>, backward<float>, backward<uint16_t>, sum};

}  // namespace
}  // namespace mainstem
