// Weighted sums over depth, on sixteen float lanes; written once for all, internal linkage, see keep_lanes.h.
#pragma once
#include "float_lanes.h"
#include "mix.h"

namespace mainstem {
namespace {

// Arrays of a sum over depth that are read side by side: few enough for the processor to fetch all ahead.
constexpr int64_t kSide = 4;
// Elements whose sums so far stay in the nearest cache until all arrays are read.
constexpr int64_t kBlock = 1024;

template <class Element>
void depth_forward(const MainstemDepth& d, int64_t begin, int64_t end) {
  float sums[kBlock];
  for (int64_t block = begin; block < end; block += kBlock) {
    const int64_t width = end - block < kBlock ? end - block : kBlock;
    const auto some = [&](int64_t j, int64_t side, auto* to) __attribute__((always_inline)) {
      const Element* from[kSide];
      float a[kSide];
      for (int64_t i = 0; i < side; ++i) {
        from[i] = static_cast<const Element*>(d.x[d.order[j + i]]) + block;
        a[i] = d.a[d.order[j + i]];
      }
      once(width, [&](int64_t at, int64_t count) __attribute__((always_inline)) {
        Floats sum = load(from[0] + at, count) * a[0];
        if (j > 0) sum = load(sums + at, count) + sum;
        for (int64_t i = 1; i < side; ++i) sum = sum + load(from[i] + at, count) * a[i];
        store(to + at, sum, count);
      });
    };
    int64_t j = 0;
    for (; j + kSide < d.count; j += kSide) some(j, kSide, sums);
    some(j, d.count - j, static_cast<Element*>(d.y) + block);
  }
}

template <class Element, int kCount>
void depth_backward_of(const MainstemDepth& d, int64_t first, int64_t begin, int64_t end, float* part) {
  const Element* dy = static_cast<const Element*>(d.dy) + begin;
  const Element* x[kCount];
  Element* dx[kCount];
  Floats products[kCount];
  bool any = false;
  for (int i = 0; i < kCount; ++i) {
    x[i] = static_cast<const Element*>(d.x[first + i]) + begin;
    dx[i] = d.dx[first + i] == nullptr ? nullptr : static_cast<Element*>(d.dx[first + i]) + begin;
    any = any || dx[i] != nullptr;
    products[i] = zeros();
  }
  once(end - begin, [&](int64_t at, int64_t count) __attribute__((always_inline)) {
    const Floats upstream = load(dy + at, count);
    for (int i = 0; i < kCount; ++i) products[i] = products[i] + upstream * load(x[i] + at, count);
    if (!any) return;
    for (int i = 0; i < kCount; ++i) {
      if (dx[i] != nullptr) store(dx[i] + at, upstream * d.a[first + i], count);
    }
  });
  for (int i = 0; i < kCount; ++i) part[first + i] = total(products[i]);
}

template <class Element>
void depth_backward(const MainstemDepth& d, int64_t begin, int64_t end, float* part) {
  int64_t j = 0;
  for (; j + kSide <= d.count; j += kSide) depth_backward_of<Element, kSide>(d, j, begin, end, part);
  for (; j < d.count; ++j) depth_backward_of<Element, 1>(d, j, begin, end, part);
}

}  // namespace
}  // namespace mainstem
