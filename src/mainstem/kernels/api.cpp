// Dropout, of elements or of whole samples, and its mask, over a whole array: which positions there are, cut into
// items, in parallel.
#include "api.h"

#include <algorithm>
#include <cstring>

#include "draw.h"
#include "parallel.h"
#include "variant.h"

namespace mainstem {
namespace {

constexpr int64_t kItemCalls = 512;        // Philox calls of one item; their keep bytes lie on the stack
constexpr int64_t kGrainCalls = 4096;      // fewer are not worth a second thread

// A slab is a stretch of memory in which counter word 0 goes up by one from each group of eight columns to the next.
struct Plan {
  const Variant* variant;
  Draw draw;
  const int64_t* samples;
  int64_t batch, slabs, slabs_per_sample;  // slab = (before * batch + sample) * slabs_per_sample + rest
  int64_t rows, columns, calls;            // of a slab; calls: groups of eight columns in a row
  int64_t queries, context, stride;        // stride: groups of eight columns in a row as the counter numbers them
  int64_t items_per_slab;
  bool all_dropped, all_kept;
  bool whole;  // a sample's first decision is that of all its elements
  float scale;

  int64_t slab_calls() const { return rows * calls; }
  int64_t items() const { return slabs * items_per_slab; }
  int64_t grain() const { return std::max<int64_t>(1, kGrainCalls / std::min(kItemCalls, std::max<int64_t>(1, slab_calls()))); }

  uint32_t first(int64_t slab) const {
    const int64_t rest = slab % slabs_per_sample;
    const int64_t row = context > 0 ? rest / queries * context + rest % queries : slab / batch * rows;
    return static_cast<uint32_t>(row * stride);
  }

  // Writes the keep bytes of calls [begin, end) of the slab.
  void keep(uint8_t* out, int64_t slab, int64_t begin, int64_t end) const {
    if (all_dropped || all_kept) {
      std::memset(out, all_kept ? 0xFF : 0, static_cast<size_t>(end - begin));
      return;
    }
    Draw own = draw;
    own.sample = static_cast<uint32_t>(samples[slab / slabs_per_sample % batch]);
    if (!whole) return variant->keep(out, first(slab) + static_cast<uint32_t>(begin), end - begin, own);
    uint8_t one;
    variant->keep(&one, 0, 1, own);
    std::memset(out, one & 1 ? 0xFF : 0, static_cast<size_t>(end - begin));
  }
};

int32_t check(const MainstemShape& shape, const Asked& asked) {
  const int32_t bad = refused(asked);
  if (bad != kMainstemOk) return bad;
  const int64_t sizes[] = {shape.before, shape.batch, shape.between, shape.columns, shape.queries, shape.context};
  for (const int64_t size : sizes) {
    if (size < 0) return kMainstemBadShape;
  }
  if (shape.context > 0 && (shape.before != 1 || shape.queries < 1 || shape.between % shape.queries != 0 ||
                            shape.queries > shape.context || shape.columns > shape.context)) {
    return kMainstemBadShape;
  }
  int64_t rows = 0, positions = 0;
  const int64_t width = shape.context > 0 ? shape.context : shape.columns;
  const int64_t before = shape.context > 0 ? shape.between / shape.queries : shape.before;
  const int64_t between = shape.context > 0 ? shape.context : shape.between;
  if (__builtin_mul_overflow(before, between, &rows)) return kMainstemBadShape;
  if (__builtin_mul_overflow(rows, (width + 7) / 8, &positions)) return kMainstemBadShape;
  return positions <= kCounter ? kMainstemOk : kMainstemBadShape;
}

Plan plan(const MainstemShape& shape, const Asked& asked, const Variant* variant) {
  Plan p{};
  p.variant = variant;
  p.samples = asked.samples;
  p.draw = drawn(asked);
  p.all_kept = *asked.threshold == 0;
  p.all_dropped = *asked.threshold == 65536;
  p.scale = kept_scale(*asked.threshold);
  p.batch = shape.batch;
  p.columns = shape.columns;
  p.calls = (shape.columns + 7) / 8;
  p.stride = p.calls;
  p.slabs = shape.before * shape.batch;
  p.slabs_per_sample = 1;
  p.rows = shape.between;
  // Attention weights over the whole context are numbered like any other array.
  const bool whole = shape.queries == shape.context && p.calls == (shape.context + 7) / 8;
  if (shape.context > 0 && !whole) {
    p.context = shape.context;
    p.queries = shape.queries;
    p.stride = (shape.context + 7) / 8;
    p.slabs = shape.batch * shape.between;
    p.slabs_per_sample = shape.between;
    p.rows = 1;
  }
  p.items_per_slab = (p.slab_calls() + kItemCalls - 1) / kItemCalls;
  return p;
}

template <class Element>
struct Dropout {
  Plan plan;
  Element* y;
  const Element* x;
  void (*scale)(Element*, const Element*, const uint8_t*, int64_t, float);

  static void run(int64_t begin, int64_t end, void* context) {
    const Dropout& self = *static_cast<const Dropout*>(context);
    for (int64_t item = begin; item < end; ++item) self.item(item);
  }

  void item(int64_t number) const {
    uint8_t bits[kItemCalls];
    const int64_t slab = number / plan.items_per_slab;
    const int64_t begin = number % plan.items_per_slab * kItemCalls;
    const int64_t end = std::min(begin + kItemCalls, plan.slab_calls());
    plan.keep(bits, slab, begin, end);
    // Rows of whole groups of eight lie one after the other like one long row.
    const bool merged = plan.columns % 8 == 0;
    const int64_t calls = merged ? plan.slab_calls() : plan.calls;
    const int64_t columns = merged ? plan.rows * plan.columns : plan.columns;
    for (int64_t call = begin; call < end;) {
      const int64_t row = call / calls, group = call % calls;
      const int64_t stop = std::min(end, call - group + calls);
      const int64_t from = group * 8, count = std::min(columns, (group + stop - call) * 8) - from;
      const int64_t at = slab * plan.rows * plan.columns + row * columns + from;
      scale(y + at, x + at, bits + (call - begin), count, plan.scale);
      call = stop;
    }
  }
};

struct MaskBits {
  Plan plan;
  uint8_t* out;

  static void run(int64_t begin, int64_t end, void* context) {
    const MaskBits& self = *static_cast<const MaskBits*>(context);
    for (int64_t item = begin; item < end; ++item) self.item(item);
  }

  void item(int64_t number) const {
    const int64_t slab = number / plan.items_per_slab;
    const int64_t begin = number % plan.items_per_slab * kItemCalls;
    const int64_t end = std::min(begin + kItemCalls, plan.slab_calls());
    uint8_t* bytes = out + slab * plan.slab_calls() + begin;
    plan.keep(bytes, slab, begin, end);
    const unsigned last = (1u << (plan.columns % 8)) - 1u;
    if (last == 0) return;
    for (int64_t call = begin - begin % plan.calls + plan.calls - 1; call < end; call += plan.calls) {
      bytes[call - begin] &= static_cast<uint8_t>(last);
    }
  }
};

template <class Element>
void dropout(const Plan& plan, void* y, const void* x,
             void (*scale)(Element*, const Element*, const uint8_t*, int64_t, float)) {
  Dropout<Element> work{plan, static_cast<Element*>(y), static_cast<const Element*>(x), scale};
  parallel_for(plan.items(), plan.grain(), Dropout<Element>::run, &work);
}

int32_t dropout(void* y, const void* x, int64_t dtype, const MainstemShape& shape, const Asked& asked, int64_t variant,
                bool whole) {
  const int32_t bad = check(shape, asked);
  if (bad != kMainstemOk) return bad;
  const Variant* chosen = mainstem::variant(variant);
  if (chosen == nullptr) return kMainstemBadVariant;
  Plan own = plan(shape, asked, chosen);
  own.whole = whole;
  if (dtype == kMainstemFloat32) {
    dropout<float>(own, y, x, chosen->scale_float32);
  } else if (dtype == kMainstemBfloat16) {
    dropout<uint16_t>(own, y, x, chosen->scale_bfloat16);
  } else {
    return kMainstemBadDtype;
  }
  return kMainstemOk;
}

}  // namespace
}  // namespace mainstem

int32_t mainstem_abi() { return kMainstemAbi; }

int32_t mainstem_dropout(void* y, const void* x, int64_t dtype, const MainstemShape* shape, const int64_t* threshold,
                         const int64_t* key, const int64_t* samples, int64_t site, int64_t variant) {
  return mainstem::dropout(y, x, dtype, *shape, {threshold, key, samples, shape->batch, site}, variant, false);
}

int32_t mainstem_drop_path(void* y, const void* x, int64_t dtype, int64_t batch, int64_t each, const int64_t* threshold,
                           const int64_t* key, const int64_t* samples, int64_t site, int64_t variant) {
  const MainstemShape shape{1, batch, 1, each, 0, 0};
  return mainstem::dropout(y, x, dtype, shape, {threshold, key, samples, batch, site}, variant, true);
}

int32_t mainstem_mask_bits(uint8_t* out, const MainstemShape* shape, const int64_t* threshold, const int64_t* key,
                           const int64_t* samples, int64_t site, int64_t variant) {
  const mainstem::Asked asked{threshold, key, samples, shape->batch, site};
  const int32_t bad = mainstem::check(*shape, asked);
  if (bad != kMainstemOk) return bad;
  const mainstem::Variant* chosen = mainstem::variant(variant);
  if (chosen == nullptr) return kMainstemBadVariant;
  mainstem::MaskBits work{mainstem::plan(*shape, asked, chosen), out};
  mainstem::parallel_for(work.plan.items(), work.plan.grain(), mainstem::MaskBits::run, &work);
  return kMainstemOk;
}
