// Mixing of all tokens, and sums over depth of whole arrays, in parallel and in chunks that no thread count changes.
#include "mix_api.h"

#include <algorithm>
#include <cstring>

#include "mix.h"
#include "parallel.h"
#include "variant.h"

namespace mainstem {
namespace {

constexpr int64_t kGrainElements = 16384;  // fewer are not worth a second thread
constexpr int64_t kMostStreams = 16;       // what the kernels keep on the stack

const Mix& table(Isa isa) {
#ifdef MAINSTEM_AVX512
  if (isa == Isa::kAvx512) return kMixAvx512;
#endif
#ifdef MAINSTEM_AVX2
  if (isa == Isa::kAvx2) return kMixAvx2;
#endif
  (void)isa;
  return kMixBaseline;
}

template <class Arguments>
struct Work {
  Arguments m;
  void (*forward)(const Arguments&, int64_t, int64_t);
  void (*backward)(const Arguments&, int64_t, int64_t, float*);
  int64_t count, part, summed;  // items; floats of a part, and how many of them are sums

  static void run(int64_t begin, int64_t end, void* context) {
    const Work& self = *static_cast<const Work*>(context);
    self.forward(self.m, begin, end);
  }

  static void run_chunks(int64_t begin, int64_t end, void* context) {
    const Work& self = *static_cast<const Work*>(context);
    for (int64_t number = begin; number < end; ++number) {
      float* part = self.m.parts + number * self.part;
      std::memset(part, 0, static_cast<size_t>(self.summed) * sizeof(float));
      const int64_t from = number * self.m.chunk;
      self.backward(self.m, from, std::min(from + self.m.chunk, self.count), part);
    }
  }

  // Chunks in parallel, and their sum in the order of the chunks.
  void all_chunks(float* sums, int64_t elements_per_chunk) {
    const int64_t chunks = (count + m.chunk - 1) / m.chunk;
    parallel_for(chunks, std::max<int64_t>(1, kGrainElements / std::max<int64_t>(1, elements_per_chunk)), run_chunks, this);
    std::memset(sums, 0, static_cast<size_t>(summed) * sizeof(float));
    for (int64_t number = 0; number < chunks; ++number) {
      const float* from = m.parts + number * part;
      for (int64_t i = 0; i < summed; ++i) sums[i] += from[i];
    }
  }
};

int32_t check(int64_t dtype, const Variant* variant) {
  if (variant == nullptr) return kMainstemBadVariant;
  return dtype == kMainstemFloat32 || dtype == kMainstemBfloat16 ? kMainstemOk : kMainstemBadDtype;
}

int32_t check(const MainstemMix& m, const Variant* variant) {
  if (m.tokens < 0 || m.streams < 1 || m.streams > kMostStreams || m.columns < 0) return kMainstemBadShape;
  return check(m.dtype, variant);
}

int32_t check(const MainstemDepth& d, const Variant* variant) {
  return d.count < 1 || d.elements < 0 ? static_cast<int32_t>(kMainstemBadShape) : check(d.dtype, variant);
}

}  // namespace
}  // namespace mainstem

int32_t mainstem_mix(const MainstemMix* mix, int64_t variant) {
  const mainstem::Variant* chosen = mainstem::variant(variant);
  const int32_t bad = mainstem::check(*mix, chosen);
  if (bad != kMainstemOk) return bad;
  mainstem::Work<MainstemMix> work{*mix, mainstem::table(chosen->isa).forward[mix->dtype], nullptr, mix->tokens, 0, 0};
  const int64_t token = std::max<int64_t>(1, mix->streams * mix->columns);
  mainstem::parallel_for(mix->tokens, std::max<int64_t>(1, mainstem::kGrainElements / token), work.run, &work);
  return kMainstemOk;
}

int32_t mainstem_mix_backward(const MainstemMix* mix, int64_t variant) {
  const mainstem::Variant* chosen = mainstem::variant(variant);
  const int32_t bad = mainstem::check(*mix, chosen);
  if (bad != kMainstemOk) return bad;
  if (mix->chunk < 1) return kMainstemBadShape;
  mainstem::Work<MainstemMix> work{*mix, nullptr, mainstem::table(chosen->isa).backward[mix->dtype], mix->tokens,
                                   mainstem::mix_part(mix->streams, mix->columns),
                                   mainstem::mix_sums(mix->streams, mix->columns)};
  work.all_chunks(mix->sums, mix->chunk * mix->streams * mix->columns);
  return kMainstemOk;
}

int32_t mainstem_depth_sum(const MainstemDepth* depth, int64_t variant) {
  const mainstem::Variant* chosen = mainstem::variant(variant);
  const int32_t bad = mainstem::check(*depth, chosen);
  if (bad != kMainstemOk) return bad;
  mainstem::Work<MainstemDepth> work{*depth, mainstem::table(chosen->isa).depth[depth->dtype], nullptr,
                                     depth->elements, 0, 0};
  mainstem::parallel_for(depth->elements, std::max<int64_t>(1024, mainstem::kGrainElements / depth->count), work.run, &work);
  return kMainstemOk;
}

int32_t mainstem_depth_sum_backward(const MainstemDepth* depth, int64_t variant) {
  const mainstem::Variant* chosen = mainstem::variant(variant);
  const int32_t bad = mainstem::check(*depth, chosen);
  if (bad != kMainstemOk) return bad;
  if (depth->chunk < 1) return kMainstemBadShape;
  mainstem::Work<MainstemDepth> work{*depth, nullptr, mainstem::table(chosen->isa).depth_backward[depth->dtype],
                                     depth->elements, depth->count, depth->count};
  work.all_chunks(depth->da, depth->chunk * depth->count);
  return kMainstemOk;
}
