// The norm of norm_lanes.h followed by rotary positions: columns i and i + columns / 2 of a row are rotated as a pair.
#pragma once
#include "float_lanes.h"
#include "norm.h"

namespace mainstem {
namespace {

struct Pair {
  Floats first, second;
};

// By the row's angles, or back again.
template <bool kBack>
inline Pair rotated(const Pair& p, const Floats& cosine, const Floats& sine) {
  if (kBack) return {p.first * cosine + p.second * sine, p.second * cosine - p.first * sine};
  return {p.first * cosine - p.second * sine, p.second * cosine + p.first * sine};
}

template <class Element, bool kGain>
void forward_rotated(const NormRows r) {
  const int64_t half = r.columns / 2;
  for (int64_t row = 0; row < r.rows; ++row) {
    const Element* x = static_cast<const Element*>(r.x) + row * r.x_stride;
    Element* y = static_cast<Element*>(r.y) + row * r.y_stride;
    const float *cosine = r.cosine + row * half, *sine = r.sine + row * half;
    Floats squares = zeros();
    over(r.columns, [&](const Span& s) __attribute__((always_inline)) {
      const Floats value = load(x + s.at, s.count);
      squares = squares + own(value * value, s);
    });
    const float inverse = 1.0f / __builtin_sqrtf(total(squares) / static_cast<float>(r.columns) + r.eps);
    r.inverse[row] = inverse;
    over(half, [&](const Span& s) __attribute__((always_inline)) {
      Pair p = {load(x + s.at, s.count) * inverse, load(x + half + s.at, s.count) * inverse};
      if (kGain) p = {p.first * load(r.gain + s.at, s.count), p.second * load(r.gain + half + s.at, s.count)};
      p = rotated<false>(p, load(cosine + s.at, s.count), load(sine + s.at, s.count));
      store(y + s.at, p.first, s.count);
      store(y + half + s.at, p.second, s.count);
    });
  }
}

// As backward_rows, of dy rotated back.
template <class Element, bool kGain>
void backward_rotated(const NormRows r) {
  const int64_t half = r.columns / 2;
  for (int64_t row = 0; row < r.rows; ++row) {
    const Element* x = static_cast<const Element*>(r.x) + row * r.x_stride;
    const Element* dy = static_cast<const Element*>(r.dy) + row * r.dy_stride;
    Element* dx = static_cast<Element*>(r.y) + row * r.y_stride;
    const float *cosine = r.cosine + row * half, *sine = r.sine + row * half;
    const float inverse = r.inverse[row];
    const auto back = [&](const Span& s) __attribute__((always_inline)) {
      const Pair p = {load(dy + s.at, s.count), load(dy + half + s.at, s.count)};
      return rotated<true>(p, load(cosine + s.at, s.count), load(sine + s.at, s.count));
    };
    Floats products = zeros();
    const auto gather = [&](int64_t at, const Floats& g, const Span& s) __attribute__((always_inline)) {
      Floats product = g * (load(x + at, s.count) * inverse);
      if (kGain) {
        store(r.dgain + at, load(r.dgain + at, s.count) + own(product, s), s.count);
        product = product * load(r.gain + at, s.count);
      }
      products = products + own(product, s);
    };
    over(half, [&](const Span& s) __attribute__((always_inline)) {
      const Pair g = back(s);
      gather(s.at, g.first, s);
      gather(half + s.at, g.second, s);
    });
    const float mean = total(products) / static_cast<float>(r.columns);
    const auto write = [&](int64_t at, Floats g, const Span& s) __attribute__((always_inline)) {
      if (kGain) g = g * load(r.gain + at, s.count);
      store(dx + at, (g - load(x + at, s.count) * inverse * mean) * inverse, s.count);
    };
    over(half, [&](const Span& s) __attribute__((always_inline)) {
      const Pair g = back(s);
      write(s.at, g.first, s);
      write(half + s.at, g.second, s);
    });
  }
}

}  // namespace
}  // namespace mainstem
