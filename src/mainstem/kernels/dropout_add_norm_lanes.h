// Dropout, the residual sum and the norm over sixteen float lanes, included by one file per instruction set.
#pragma once
#include <type_traits>

#include "dropout_add_norm.h"
#include "float_lanes.h"

namespace mainstem {
namespace {

// The lanes whose keep bit is set, counted from bit `at` of a row's bits, and +0 in the others. Reads up to four bytes.
inline Floats kept(const Floats& value, const uint8_t* bits, int64_t at) {
  uint32_t word;
  std::memcpy(&word, bits + (at >> 3), sizeof word);
  word = word >> (at & 7) & 0xFFFF;
#if defined(__AVX512F__)
  Floats chosen;
  chosen.part[0] = _mm512_maskz_mov_ps(static_cast<__mmask16>(word), value.part[0]);
  return chosen;
#else
  Word mask[kRegisters];
  for (int i = 0; i < kRegisters; ++i) mask[i] = Word(((Word{} + word) & ((Word{} + 1u) << lane_numbers()[i])) != 0);
  return choose(value, mask);
#endif
}

template <class Element>
inline const Element* line(const void* array, int64_t row, int64_t columns) {
  return static_cast<const Element*>(array) + row * columns;
}
template <class Element>
inline Element* line(void* array, int64_t row, int64_t columns) {
  return static_cast<Element*>(array) + row * columns;
}

// Adds the residual to what is kept of x, and returns the sum of the stream, or of its squares for a kRms norm.
template <class X, class S, bool kRms, bool kDrop>
MAINSTEM_INLINE float add_row(const FusedRows& r, int64_t row) {
  const X* x = line<X>(r.x, row, r.columns);
  const S* residual = line<S>(r.residual, row, r.columns);
  S* stream = line<S>(r.stream, row, r.columns);
  const uint8_t* bits = kDrop ? r.bits + row * r.groups : nullptr;
  Floats sum = zeros();
  over(r.columns, [&](const Span& s) __attribute__((always_inline)) {
    Floats value = load(x + s.at, s.count) * r.factor;
    if (kDrop) value = kept(value, bits, s.at);
    value = load(residual + s.at, s.count) + value;
    store(stream + s.at, value, s.count);
    // The norm is that of what was written, not of what it was rounded from.
    if (!std::is_same<S, float>::value) value = load(stream + s.at, s.count);
    sum = sum + own(kRms ? value * value : value, s);
  });
  return total(sum);
}

template <class X, class S, bool kRms, bool kDrop>
void forward_rows(const FusedRows r) {
  const float columns = static_cast<float>(r.columns);
  for (int64_t row = 0; row < r.rows; ++row) {
    float mean = 0.0f, spread = add_row<X, S, kRms, kDrop>(r, row) / columns;
    const S* stream = line<S>(static_cast<const void*>(r.stream), row, r.columns);
    S* normed = line<S>(r.normed, row, r.columns);
    if (!kRms) {
      r.mean[row] = mean = spread;
      Floats squares = zeros();
      over(r.columns, [&](const Span& s) __attribute__((always_inline)) {
        const Floats centred = load(stream + s.at, s.count) + -mean;
        squares = squares + own(centred * centred, s);
      });
      spread = total(squares) / columns;
    }
    const float inverse = 1.0f / __builtin_sqrtf(spread + r.eps);
    r.inverse[row] = inverse;
    over(r.columns, [&](const Span& s) __attribute__((always_inline)) {
      Floats value = load(stream + s.at, s.count);
      if (!kRms) value = value + -mean;
      value = value * inverse;
      if (r.gain != nullptr) value = value * load(r.gain + s.at, s.count);
      if (r.bias != nullptr) value = value + load(r.bias + s.at, s.count);
      store(normed + s.at, value, s.count);
    });
  }
}

// With n = (s - mean) / root and g = dnormed * gain: ds = dstream + (g - mean(g) - n mean(g n)) / root, without
// mean(g) for a kRms norm. ds is the gradient of the residual, and what is kept of it, times the factor, that of x.
template <class X, class S, bool kRms, bool kDrop>
void backward_rows(const FusedRows r) {
  const float columns = static_cast<float>(r.columns);
  for (int64_t row = 0; row < r.rows; ++row) {
    const S* written = line<S>(r.written, row, r.columns);
    const S* dnormed = line<S>(r.dnormed, row, r.columns);
    const S* dstream = r.dstream == nullptr ? nullptr : line<S>(r.dstream, row, r.columns);
    S* dresidual = line<S>(r.stream, row, r.columns);
    X* dx = r.dx == nullptr ? nullptr : line<X>(r.dx, row, r.columns);
    const uint8_t* bits = kDrop ? r.bits + row * r.groups : nullptr;
    const float inverse = r.inverse[row], centre = kRms ? 0.0f : -r.mean[row];
    const auto normal = [&](const Span& s) __attribute__((always_inline)) {
      Floats value = load(written + s.at, s.count);
      if (!kRms) value = value + centre;
      return value * inverse;
    };
    Floats plain = zeros(), products = zeros();
    over(r.columns, [&](const Span& s) __attribute__((always_inline)) {
      Floats given = load(dnormed + s.at, s.count);
      // Multiplied in the order of norm_lanes.h, so that the gradients are those of the parts to the bit.
      Floats product = given * normal(s);
      if (r.dgain != nullptr) {
        store(r.dgain + s.at, load(r.dgain + s.at, s.count) + own(product, s), s.count);
      }
      if (r.dbias != nullptr) store(r.dbias + s.at, load(r.dbias + s.at, s.count) + own(given, s), s.count);
      if (r.gain != nullptr) {
        const Floats gain = load(r.gain + s.at, s.count);
        given = given * gain;
        product = product * gain;
      }
      if (!kRms) plain = plain + own(given, s);
      products = products + own(product, s);
    });
    const float shared = kRms ? 0.0f : -(total(plain) / columns), along = total(products) / columns;
    over(r.columns, [&](const Span& s) __attribute__((always_inline)) {
      Floats given = load(dnormed + s.at, s.count);
      if (r.gain != nullptr) given = given * load(r.gain + s.at, s.count);
      if (!kRms) given = given + shared;
      Floats sum = (given - normal(s) * along) * inverse;
      if (dstream != nullptr) sum = load(dstream + s.at, s.count) + sum;
      store(dresidual + s.at, sum, s.count);
      if (dx == nullptr) return;
      sum = sum * r.factor;
      store(dx + s.at, kDrop ? kept(sum, bits, s.at) : sum, s.count);
    });
  }
}

template <class X, class S>
void forward(const FusedRows& r) {
  if (r.mean == nullptr) {
    r.bits == nullptr ? forward_rows<X, S, true, false>(r) : forward_rows<X, S, true, true>(r);
  } else {
    r.bits == nullptr ? forward_rows<X, S, false, false>(r) : forward_rows<X, S, false, true>(r);
  }
}

template <class X, class S>
void backward(const FusedRows& r) {
  if (r.mean == nullptr) {
    r.bits == nullptr ? backward_rows<X, S, true, false>(r) : backward_rows<X, S, true, true>(r);
  } else {
    r.bits == nullptr ? backward_rows<X, S, false, false>(r) : backward_rows<X, S, false, true>(r);
  }
}

constexpr DropoutAddNorm kTable = {
    {{forward<float, float>, forward<float, uint16_t>}, {forward<uint16_t, float>, forward<uint16_t, uint16_t>}},
    {{backward<float, float>, backward<float, uint16_t>}, {backward<uint16_t, float>, backward<uint16_t, uint16_t>}}};

}  // namespace
}  // namespace mainstem
