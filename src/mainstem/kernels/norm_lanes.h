// Root-mean-square normalisation over sixteen float lanes, included by one norm_*.cpp per instruction set.
#pragma once
#include "float_lanes.h"
#include "norm.h"
#include "norm_rotary_lanes.h"

namespace mainstem {
namespace {

template <class Element, bool kGain>
void forward_rows(const NormRows r) {
  for (int64_t row = 0; row < r.rows; ++row) {
    const Element* x = static_cast<const Element*>(r.x) + row * r.x_stride;
    Element* y = static_cast<Element*>(r.y) + row * r.y_stride;
    Floats squares = zeros();
    over(r.columns, [&](const Span& s) __attribute__((always_inline)) {
      const Floats value = load(x + s.at, s.count);
      squares = squares + own(value * value, s);
    });
    const float inverse = 1.0f / __builtin_sqrtf(total(squares) / static_cast<float>(r.columns) + r.eps);
    r.inverse[row] = inverse;
    over(r.columns, [&](const Span& s) __attribute__((always_inline)) {
      Floats value = load(x + s.at, s.count) * inverse;
      if (kGain) value = value * load(r.gain + s.at, s.count);
      store(y + s.at, value, s.count);
    });
  }
}

// With n = x / rms(x) and g = dy * gain: dx = (g - n * mean(g n)) / rms(x), and dgain gathers dy * n.
template <class Element, bool kGain>
void backward_rows(const NormRows r) {
  for (int64_t row = 0; row < r.rows; ++row) {
    const Element* x = static_cast<const Element*>(r.x) + row * r.x_stride;
    const Element* dy = static_cast<const Element*>(r.dy) + row * r.dy_stride;
    Element* dx = static_cast<Element*>(r.y) + row * r.y_stride;
    const float inverse = r.inverse[row];
    Floats products = zeros();
    over(r.columns, [&](const Span& s) __attribute__((always_inline)) {
      Floats product = load(dy + s.at, s.count) * (load(x + s.at, s.count) * inverse);
      if (kGain) {
        store(r.dgain + s.at, load(r.dgain + s.at, s.count) + own(product, s), s.count);
        product = product * load(r.gain + s.at, s.count);
      }
      products = products + own(product, s);
    });
    const float mean = total(products) / static_cast<float>(r.columns);
    over(r.columns, [&](const Span& s) __attribute__((always_inline)) {
      Floats scaled = load(dy + s.at, s.count);
      if (kGain) scaled = scaled * load(r.gain + s.at, s.count);
      store(dx + s.at, (scaled - load(x + s.at, s.count) * inverse * mean) * inverse, s.count);
    });
  }
}

template <class Element>
void forward(const NormRows& rows) {
  if (rows.cosine != nullptr) {
    return rows.gain == nullptr ? forward_rotated<Element, false>(rows) : forward_rotated<Element, true>(rows);
  }
  rows.gain == nullptr ? forward_rows<Element, false>(rows) : forward_rows<Element, true>(rows);
}

template <class Element>
void backward(const NormRows& rows) {
  if (rows.cosine != nullptr) {
    return rows.gain == nullptr ? backward_rotated<Element, false>(rows) : backward_rotated<Element, true>(rows);
  }
  rows.gain == nullptr ? backward_rows<Element, false>(rows) : backward_rows<Element, true>(rows);
}

void sum(float* out, const float* parts, int64_t count, int64_t columns) {
  over(columns, [&](const Span& s) __attribute__((always_inline)) {
    Floats all = zeros();
    for (int64_t part = 0; part < count; ++part) all = all + load(parts + part * columns + s.at, s.count);
    store(out + s.at, all, s.count);
  });
}

constexpr Norm kNorm = {forward<float>, forward<uint16_t>, backward<float>, backward<uint16_t>, sum};

}  // namespace
}  // namespace mainstem
