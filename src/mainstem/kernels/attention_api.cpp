// Attention over whole arrays: what may not be asked for, and the items that threads share.
#include "attention_api.h"

#include <algorithm>

#include "attention.h"
#include "parallel.h"
#include "variant.h"

namespace mainstem {
namespace {

constexpr int64_t kGrainProducts = 1 << 18;  // multiplications; fewer are not worth a second thread

const Attention* table(const Variant& variant) {
  switch (variant.isa) {
#ifdef MAINSTEM_AVX512
    case Isa::kAvx512:
      return &kAttentionAvx512;
#endif
#ifdef MAINSTEM_AVX2
    case Isa::kAvx2:
      // No processor is known to have the one without the other, but they are two instruction sets.
      return __builtin_cpu_supports("fma") ? &kAttentionAvx2 : &kAttentionBaseline;
#endif
    default:
      return &kAttentionBaseline;
  }
}

int32_t check(const MainstemAttention& s, int64_t dtype, const Asked& asked,
              const int64_t* documents) {
  const int64_t sizes[] = {s.batch, s.heads, s.groups, s.queries, s.keys, s.width, s.context};
  if (*std::min_element(sizes, sizes + 7) < 0) return kMainstemBadShape;
  if (s.groups == 0 ? s.heads != 0 : s.heads % s.groups != 0) return kMainstemBadShape;
  // Positions are compared in 32 bits.
  if (std::max(s.queries, s.keys) >= 1 << 30) return kMainstemBadShape;
  if (s.causal != 0 && s.queries > s.keys) return kMainstemBadShape;
  if (documents != nullptr && s.queries != s.keys) return kMainstemBadShape;
  if (dtype != kMainstemFloat32 && dtype != kMainstemBfloat16) return kMainstemBadDtype;
  if (asked.threshold == nullptr) return kMainstemOk;
  const int32_t bad = refused(asked);
  if (bad != kMainstemOk) return bad;
  int64_t positions = 0;
  if (s.queries > s.context || s.keys > s.context) return kMainstemBadShape;
  if (__builtin_mul_overflow(s.context, (s.context + 7) / 8, &positions)) return kMainstemBadShape;
  if (__builtin_mul_overflow(positions, s.heads, &positions)) return kMainstemBadShape;
  return positions <= kCounter ? kMainstemOk : kMainstemBadShape;
}

void drop(AttentionWork* work, const Asked& asked, const Variant& variant) {
  work->kept_scale = 1.0f;
  if (asked.threshold == nullptr || *asked.threshold == 0) return;
  work->keep = variant.keep;
  work->samples = asked.samples;
  work->all_dropped = *asked.threshold == 65536;
  work->kept_scale = kept_scale(*asked.threshold);
  work->draw = drawn(asked);
}

using Stretch = void (*)(const AttentionWork& work, int64_t begin, int64_t end);

struct Job {
  const AttentionWork* work;
  Stretch run;
  static void body(int64_t begin, int64_t end, void* context) {
    const Job& self = *static_cast<const Job*>(context);
    self.run(*self.work, begin, end);
  }
};

int32_t run(AttentionWork* work, Stretch stretch, int64_t items) {
  const MainstemAttention& s = work->shape;
  if (s.batch == 0 || s.heads == 0 || items == 0) return kMainstemOk;
  std::atomic<bool> no_memory{false};
  work->no_memory = &no_memory;
  const int64_t products = std::max<int64_t>(1, s.batch * s.heads * s.queries * s.keys * s.width / items);
  Job job{work, stretch};
  parallel_for(items, std::max<int64_t>(1, kGrainProducts / products), Job::body, &job);
  return no_memory.load() ? kMainstemNoMemory : static_cast<int32_t>(kMainstemOk);
}

}  // namespace
}  // namespace mainstem

int32_t mainstem_attention(void* out, float* lse, const void* query_array, const void* key_array,
                           const void* value_array, int64_t dtype, const MainstemAttention* shape, double scale,
                           const int64_t* documents, const int64_t* threshold, const int64_t* key,
                           const int64_t* samples, int64_t site, int64_t variant) {
  const mainstem::Variant* chosen = mainstem::variant(variant);
  if (chosen == nullptr) return kMainstemBadVariant;
  const mainstem::Asked asked{threshold, key, samples, shape->batch, site};
  const int32_t bad = mainstem::check(*shape, dtype, asked, documents);
  if (bad != kMainstemOk) return bad;
  mainstem::AttentionWork work{};
  work.shape = *shape;
  work.query = query_array, work.key = key_array, work.value = value_array;
  work.out = out, work.lse = lse;
  work.documents = documents;
  work.scale = static_cast<float>(scale);
  mainstem::drop(&work, asked, *chosen);
  const mainstem::Attention& own = *mainstem::table(*chosen);
  return mainstem::run(&work, dtype == kMainstemFloat32 ? own.forward_float32 : own.forward_bfloat16,
                       shape->batch * shape->heads * work.query_blocks());
}

int32_t mainstem_attention_backward(void* dquery, void* dkey, void* dvalue, const void* dout, const void* out,
                                    const float* lse, const void* query_array, const void* key_array,
                                    const void* value_array, int64_t dtype, const MainstemAttention* shape,
                                    double scale, const int64_t* documents, const int64_t* threshold,
                                    const int64_t* key, const int64_t* samples, int64_t site, int64_t variant) {
  const mainstem::Variant* chosen = mainstem::variant(variant);
  if (chosen == nullptr) return kMainstemBadVariant;
  const mainstem::Asked asked{threshold, key, samples, shape->batch, site};
  const int32_t bad = mainstem::check(*shape, dtype, asked, documents);
  if (bad != kMainstemOk) return bad;
  mainstem::AttentionWork work{};
  work.shape = *shape;
  work.query = query_array, work.key = key_array, work.value = value_array;
  // Backward only reads what forward wrote.
  work.out = const_cast<void*>(out), work.lse = const_cast<float*>(lse);
  work.dout = dout, work.dquery = dquery, work.dkey = dkey, work.dvalue = dvalue;
  work.documents = documents;
  work.scale = static_cast<float>(scale);
  mainstem::drop(&work, asked, *chosen);
  const mainstem::Attention& own = *mainstem::table(*chosen);
  return mainstem::run(&work, dtype == kMainstemFloat32 ? own.backward_float32 : own.backward_bfloat16,
                       shape->batch * shape->groups);
}
