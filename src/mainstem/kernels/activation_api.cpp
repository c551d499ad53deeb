// Activations of a whole array, in parallel: a stretch at a time, its mask on the stack.
#include "activation_api.h"

#include <algorithm>
#include <type_traits>

#include "activation.h"
#include "parallel.h"

namespace mainstem {
namespace {

constexpr int64_t kItemCalls = 512;         // groups of eight columns of one item
constexpr int64_t kGrainElements = 8192;    // fewer are not worth a second thread

const Activation& table(Isa isa) {
#ifdef MAINSTEM_AVX512
  if (isa == Isa::kAvx512) return kActivationAvx512;
#endif
#ifdef MAINSTEM_AVX2
  if (isa == Isa::kAvx2) return kActivationAvx2;
#endif
  (void)isa;
  return kActivationBaseline;
}

struct Whole {
  MainstemActivation shape;
  const Variant* variant;
  ActivationFunction function;
  ActivationRun base;  // its pointers are those of the array's first element
  Draw draw;
  bool drawn, none;    // whether there is a mask to draw; whether all is dropped
  int64_t size, calls, items_per_sample;

  // Rows of whole groups of eight lie one after the other like one long row, and without a mask any rows do.
  int64_t columns() const { return merged() ? shape.rows * shape.columns : shape.columns; }
  bool merged() const { return base.bits == nullptr || shape.columns % 8 == 0; }

  template <class Pointer>
  static Pointer at(Pointer pointer, int64_t bytes) {
    using Byte = std::conditional_t<std::is_const_v<std::remove_pointer_t<Pointer>>, const char, char>;
    return pointer == nullptr ? nullptr : static_cast<Byte*>(pointer) + bytes;
  }

  void item(int64_t number) const {
    uint8_t bits[kItemCalls];
    const int64_t sample = number / items_per_sample, begin = number % items_per_sample * kItemCalls;
    const int64_t width = columns(), in_row = (width + 7) / 8;
    const int64_t end = std::min(begin + kItemCalls, calls);
    if (none) {
      std::fill(bits, bits + (end - begin), uint8_t{0});
    } else if (drawn) {
      Draw own = draw;
      own.sample = static_cast<uint32_t>(shape.samples[sample]);
      variant->keep(bits, static_cast<uint32_t>(begin), end - begin, own);
    }
    for (int64_t call = begin; call < end;) {
      const int64_t row = call / in_row, group = call % in_row, stop = std::min(end, call - group + in_row);
      ActivationRun run = base;
      run.count = std::min(width, (group + stop - call) * 8) - group * 8;
      const int64_t offset = (sample * shape.rows * shape.columns + row * width + group * 8) * size;
      run.x = at(base.x, offset);
      run.gate = at(base.gate, offset);
      run.dy = at(base.dy, offset);
      run.y = at(base.y, offset);
      run.dgate = at(base.dgate, offset);
      if (base.bits != nullptr) run.bits = bits + (call - begin);
      function(run);
      call = stop;
    }
  }

  static void run(int64_t begin, int64_t end, void* context) {
    const Whole& self = *static_cast<const Whole*>(context);
    for (int64_t number = begin; number < end; ++number) self.item(number);
  }
};

Asked asked(const MainstemActivation& s) { return {s.threshold, s.key, s.samples, s.num_samples, s.site}; }

int32_t check(const MainstemActivation& s, const Variant* variant) {
  if (s.num_samples < 0 || s.rows < 0 || s.columns < 0 || s.kind < 0 || s.kind >= kActivationKinds) return kMainstemBadShape;
  if (variant == nullptr) return kMainstemBadVariant;
  if (s.dtype != kMainstemFloat32 && s.dtype != kMainstemBfloat16) return kMainstemBadDtype;
  if (s.samples == nullptr) return kMainstemOk;
  const int32_t bad = refused(asked(s));
  if (bad != kMainstemOk) return bad;
  int64_t calls = 0;
  if (__builtin_mul_overflow(s.rows, (s.columns + 7) / 8, &calls)) return kMainstemBadShape;
  return calls <= kCounter ? kMainstemOk : kMainstemBadShape;
}

int32_t run(const MainstemActivation& shape, const Variant* variant, const ActivationRun& base, bool backward) {
  static const uint8_t kSomething = 0;
  const int32_t bad = check(shape, variant);
  if (bad != kMainstemOk) return bad;
  Whole work{};
  work.shape = shape;
  work.variant = variant;
  work.base = base;
  work.size = shape.dtype == kMainstemFloat32 ? 4 : 2;
  const Activation& own = table(variant->isa);
  work.function = (backward ? own.backward : own.forward)[shape.kind][shape.dtype == kMainstemFloat32 ? 0 : 1];
  // Threshold 0 keeps all, with the factor 1.
  if (shape.samples != nullptr && *shape.threshold > 0) {
    const int64_t threshold = *shape.threshold;
    work.none = threshold == 65536;
    work.drawn = !work.none;
    work.base.bits = &kSomething;
    work.base.scale = kept_scale(threshold);
    work.draw = drawn(asked(shape));
  }
  if (backward && shape.kind == kSquaredReluResult) {  // what was dropped is seen in the result
    if (work.base.bits == nullptr) work.base.scale = 1.0f;
    work.base.bits = nullptr;
    work.none = work.drawn = false;
  }
  const int64_t columns = work.columns();
  work.calls = (work.merged() ? 1 : shape.rows) * ((columns + 7) / 8);
  work.items_per_sample = (work.calls + kItemCalls - 1) / kItemCalls;
  const int64_t item = std::max<int64_t>(1, std::min(kItemCalls, work.calls) * 8);
  parallel_for(shape.num_samples * work.items_per_sample, std::max<int64_t>(1, kGrainElements / item), Whole::run, &work);
  return kMainstemOk;
}

}  // namespace
}  // namespace mainstem

int32_t mainstem_activation(void* y, const void* x, const void* gate, const MainstemActivation* shape,
                            int64_t variant) {
  mainstem::ActivationRun base{};
  base.x = x;
  base.gate = gate;
  base.y = y;
  return mainstem::run(*shape, mainstem::variant(variant), base, false);
}

int32_t mainstem_activation_backward(void* dx, void* dgate, const void* dy, const void* x, const void* gate,
                                     const MainstemActivation* shape, int64_t variant) {
  mainstem::ActivationRun base{};
  base.x = x;
  base.gate = gate;
  base.dy = dy;
  base.y = dx;
  base.dgate = dgate;
  return mainstem::run(*shape, mainstem::variant(variant), base, true);
}
