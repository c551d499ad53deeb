// Activations over sixteen float lanes, written once for all instruction sets; internal linkage, see keep_lanes.h.
#pragma once
#include "activation.h"
#include "math_lanes.h"

namespace mainstem {
namespace {

// All ones in the lanes whose element is kept.
struct Kept {
  Word part[kRegisters];
};

inline Kept kept_lanes(const uint8_t* bits, int64_t at, int64_t count) {
  uint32_t pair = bits[at >> 3];
  if (count > 8) pair |= static_cast<uint32_t>(bits[(at >> 3) + 1]) << 8;
  Kept result;
  for (int i = 0; i < kRegisters; ++i) {
    Word bit;
    for (int lane = 0; lane < kWidth; ++lane) bit[lane] = 1u << (i * kWidth + lane);
    result.part[i] = Word(((Word{} + pair) & bit) != 0);
  }
  return result;
}

inline Floats dropped(const Floats& value, const Kept& kept, float scale) {
  return each([&](int i) { return float_of(word_of(value.part[i] * scale) & kept.part[i]); });
}

// NaN is not below 0 and stays.
inline Float relu(Float x) { return x < 0.0f ? Float{} : x; }

template <int kKind>
inline Float value(Float x, Float gate) {
  if (kKind == kGelu) return x * normal(x).below;
  if (kKind == kSquaredRelu || kKind == kSquaredReluResult) return relu(x) * relu(x);
  return gate * sigmoid(gate) * x;
}

struct Slopes {
  Float x, gate;
};

// g times the derivative by x, and by the gate.
template <int kKind>
inline Slopes slopes(Float g, Float x, Float gate) {
  if (kKind == kGelu) {
    const Normal n = normal(x);
    return {g * (n.below + x * n.density), Float{}};
  }
  // Where x <= 0 the slope is 0 even if g is infinite, as that of a ReLU is.
  if (kKind == kSquaredRelu) return {x <= 0.0f ? Float{} : g * (x + x), Float{}};
  const Float s = sigmoid(gate);
  return {g * (gate * s), g * x * (s * (gate * (1.0f - s) + 1.0f))};
}

template <class Element, int kKind, bool kDrop>
void activate(const ActivationRun r) {
  const Element *x = static_cast<const Element*>(r.x), *gate = static_cast<const Element*>(r.gate);
  Element* y = static_cast<Element*>(r.y);
  once(r.count, [&](int64_t at, int64_t count) __attribute__((always_inline)) {
    const Floats in = load(x + at, count), by = kKind == kSwiglu ? load(gate + at, count) : zeros();
    Floats out = each([&](int i) { return value<kKind>(in.part[i], by.part[i]); });
    if (kDrop) out = dropped(out, kept_lanes(r.bits, at, count), r.scale);
    store(y + at, out, count);
  });
}

template <class Element, int kKind, bool kDrop>
void differentiate(const ActivationRun r) {
  const Element *x = static_cast<const Element*>(r.x), *gate = static_cast<const Element*>(r.gate);
  const Element* dy = static_cast<const Element*>(r.dy);
  Element *dx = static_cast<Element*>(r.y), *dgate = static_cast<Element*>(r.dgate);
  once(r.count, [&](int64_t at, int64_t count) __attribute__((always_inline)) {
    const Floats in = load(x + at, count), by = kKind == kSwiglu ? load(gate + at, count) : zeros();
    Floats g = load(dy + at, count);
    if (kDrop) g = dropped(g, kept_lanes(r.bits, at, count), r.scale);
    Floats own, other;
    for (int i = 0; i < kRegisters; ++i) {
      const Slopes both = slopes<kKind>(g.part[i], in.part[i], by.part[i]);
      own.part[i] = both.x;
      other.part[i] = both.gate;
    }
    store(dx + at, own, count);
    if (kKind == kSwiglu) store(dgate + at, other, count);
  });
}

// From y = s max(x, 0)^2 alone: dx = dy s 2 max(x, 0) = 2 dy sqrt(s y). What was dropped has y = 0, so there is no
// mask to draw, and what is not above 0 has a slope of 0 even where dy is infinite.
template <class Element>
void differentiate_result(const ActivationRun& run) {
  const ActivationRun r = run;
  const Element *result = static_cast<const Element*>(r.x), *dy = static_cast<const Element*>(r.dy);
  Element* dx = static_cast<Element*>(r.y);
  once(r.count, [&](int64_t at, int64_t count) __attribute__((always_inline)) {
    const Floats y = load(result + at, count), g = load(dy + at, count);
    const Floats out = each([&](int i) {
      const Float root = square_root(y.part[i] * r.scale);
      return y.part[i] == 0.0f ? Float{} : g.part[i] * (root + root);
    });
    store(dx + at, out, count);
  });
}

template <class Element, int kKind>
void forward_run(const ActivationRun& r) {
  r.bits == nullptr ? activate<Element, kKind, false>(r) : activate<Element, kKind, true>(r);
}

template <class Element, int kKind>
void backward_run(const ActivationRun& r) {
  r.bits == nullptr ? differentiate<Element, kKind, false>(r) : differentiate<Element, kKind, true>(r);
}

constexpr Activation kActivation = {
    {{forward_run<float, kGelu>, forward_run<uint16_t, kGelu>},
     {forward_run<float, kSquaredRelu>, forward_run<uint16_t, kSquaredRelu>},
     {forward_run<float, kSwiglu>, forward_run<uint16_t, kSwiglu>},
     {forward_run<float, kSquaredReluResult>, forward_run<uint16_t, kSquaredReluResult>}},
    {{backward_run<float, kGelu>, backward_run<uint16_t, kGelu>},
     {backward_run<float, kSquaredRelu>, backward_run<uint16_t, kSquaredRelu>},
     {backward_run<float, kSwiglu>, backward_run<uint16_t, kSwiglu>},
     {differentiate_result<float>, differentiate_result<uint16_t>}}};

}  // namespace
}  // namespace mainstem
