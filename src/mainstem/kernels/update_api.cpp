// Updates of many tensors at once, cut into chunks of one size, in parallel.
#include "update_api.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "parallel.h"
#include "update.h"

namespace mainstem {

const Update& update_for(const Variant& variant) {
  switch (variant.isa) {
#ifdef MAINSTEM_AVX2
    case Isa::kAvx2:
      return kUpdateAvx2;
#endif
#ifdef MAINSTEM_AVX512
    case Isa::kAvx512:
      return kUpdateAvx512;
#endif
    default:
      return kUpdateBaseline;
  }
}

namespace {

constexpr int64_t kChunk = 16384;
constexpr int64_t kGrain = 2;  // chunks; fewer are not worth a second thread

struct Work {
  const MainstemTensors* tensors;
  const Update* update;
  AdamwFactors factors;
  double* parts;
  std::vector<int64_t> first;  // the chunk with which each tensor begins, and the number of all

  explicit Work(const MainstemTensors* all) : tensors(all), first(static_cast<size_t>(all->count) + 1) {
    for (int64_t i = 0; i < all->count; ++i) first[i + 1] = first[i] + (all->sizes[i] + kChunk - 1) / kChunk;
  }

  // Calls visit(tensor, begin, count) for each chunk of [from, to).
  template <class Visit>
  void each(int64_t from, int64_t to, const Visit& visit) const {
    int64_t tensor = std::upper_bound(first.begin(), first.end(), from) - first.begin() - 1;
    for (int64_t chunk = from; chunk < to; ++chunk) {
      while (chunk >= first[tensor + 1]) ++tensor;
      const int64_t begin = (chunk - first[tensor]) * kChunk;
      visit(chunk, tensor, begin, std::min(kChunk, tensors->sizes[tensor] - begin));
    }
  }

  static void adamw(int64_t from, int64_t to, void* context) {
    const Work& work = *static_cast<const Work*>(context);
    const MainstemTensors& all = *work.tensors;
    work.each(from, to, [&](int64_t, int64_t i, int64_t at, int64_t count) {
      float* average = all.average == nullptr ? nullptr : all.average[i] + at;
      const AdamwStretch part = {all.weight[i] + at, all.gradient[i] + at, all.mean[i] + at, all.square[i] + at,
                                 average, count};
      work.update->adamw(part, work.factors);
    });
  }

  static void squares(int64_t from, int64_t to, void* context) {
    const Work& work = *static_cast<const Work*>(context);
    work.each(from, to, [&](int64_t chunk, int64_t i, int64_t at, int64_t count) {
      work.parts[chunk] = work.update->squares(work.tensors->gradient[i] + at, count);
    });
  }
};

int32_t check(const MainstemTensors& tensors, const Variant* variant) {
  if (variant == nullptr) return kMainstemBadVariant;
  if (tensors.count < 0) return kMainstemBadShape;
  for (int64_t i = 0; i < tensors.count; ++i) {
    if (tensors.sizes[i] < 0) return kMainstemBadShape;
  }
  return kMainstemOk;
}

}  // namespace
}  // namespace mainstem

int32_t mainstem_adamw(const MainstemTensors* tensors, const MainstemAdamw* values, int64_t variant) {
  const mainstem::Variant* chosen = mainstem::variant(variant);
  const int32_t bad = mainstem::check(*tensors, chosen);
  if (bad != kMainstemOk) return bad;
  mainstem::Work work(tensors);
  work.update = &mainstem::update_for(*chosen);
  const MainstemAdamw& v = *values;
  work.factors.share = static_cast<float>(v.share);
  work.factors.keep = static_cast<float>(1 - v.lr * v.decay);
  work.factors.mean_rate = static_cast<float>(1 - v.beta1);
  work.factors.beta2 = static_cast<float>(v.beta2);
  work.factors.square_rate = static_cast<float>(1 - v.beta2);
  const double root = std::sqrt(1 - std::pow(v.beta2, v.step));
  work.factors.rate = static_cast<float>(v.lr / (1 - std::pow(v.beta1, v.step)) * root);
  work.factors.eps = static_cast<float>(v.eps * root);
  work.factors.average_rate = static_cast<float>(1 - v.average_decay);
  mainstem::parallel_for(work.first.back(), mainstem::kGrain, mainstem::Work::adamw, &work);
  return kMainstemOk;
}

int32_t mainstem_squares(double* out, double* parts, const MainstemTensors* tensors, int64_t variant) {
  const mainstem::Variant* chosen = mainstem::variant(variant);
  const int32_t bad = mainstem::check(*tensors, chosen);
  if (bad != kMainstemOk) return bad;
  mainstem::Work work(tensors);
  work.update = &mainstem::update_for(*chosen);
  work.parts = parts;
  mainstem::parallel_for(work.first.back(), mainstem::kGrain, mainstem::Work::squares, &work);
  *out = 0;
  for (int64_t chunk = 0; chunk < work.first.back(); ++chunk) *out += parts[chunk];
  return kMainstemOk;
}
