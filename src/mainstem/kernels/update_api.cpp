// An optimizer's passes over lists of tensors: the whole of their elements, cut into fixed chunks, in parallel.
#include "update_api.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "parallel.h"
#include "update.h"
#include "variant.h"

namespace mainstem {
namespace {

const Update& table(Isa isa) {
  switch (isa) {
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

Lerp lerp_by(double weight) {
  return weight < 0.5 ? Lerp{static_cast<float>(weight), false} : Lerp{static_cast<float>(weight - 1.0), true};
}

int64_t chunks(int64_t total) { return (total + kMainstemUpdateChunk - 1) / kMainstemUpdateChunk; }

// Calls visit(tensor, offset, length) for the parts of tensors that chunk `number` covers.
template <class Visit>
void pieces(int64_t number, int64_t count, const int64_t* starts, const Visit& visit) {
  const int64_t begin = number * kMainstemUpdateChunk;
  const int64_t end = std::min(begin + kMainstemUpdateChunk, starts[count]);
  // The last tensor that starts at or before `begin`: empty ones before it start there too.
  int64_t tensor = std::upper_bound(starts, starts + count, begin) - starts - 1;
  for (int64_t at = begin; at < end; ++tensor) {
    const int64_t length = std::min(end, starts[tensor + 1]) - at;
    if (length > 0) visit(tensor, at - starts[tensor], length);
    at += length;
  }
}

// Runs visit(tensor, offset, length) over all elements on PyTorch's threads.
template <class Visit>
void everywhere(int64_t count, const int64_t* starts, const Visit& visit) {
  struct Work {
    int64_t count;
    const int64_t* starts;
    const Visit& visit;
  } work{count, starts, visit};
  parallel_for(
      chunks(starts[count]), 1,
      [](int64_t begin, int64_t end, void* context) {
        const Work& own = *static_cast<const Work*>(context);
        for (int64_t number = begin; number < end; ++number) pieces(number, own.count, own.starts, own.visit);
      },
      &work);
}

template <class Pointer>
Pointer offset(Pointer base, int64_t elements, bool half) {
  using Byte = std::conditional_t<std::is_const_v<std::remove_pointer_t<Pointer>>, const char, char>;
  return static_cast<Byte*>(base) + elements * (half ? 2 : 4);
}

float* offset(float* const* list, int64_t tensor, int64_t elements) {
  return list == nullptr ? nullptr : list[tensor] + elements;
}

float share(const float* norm, double max_norm) {
  if (norm == nullptr || max_norm <= 0 || !std::isfinite(*norm) || *norm <= max_norm) return 1.0f;
  return static_cast<float>(max_norm / static_cast<double>(*norm));
}

int32_t check(int64_t count, const int64_t* starts, const Variant* variant) {
  if (variant == nullptr) return kMainstemBadVariant;
  return count >= 0 && starts[0] == 0 && std::is_sorted(starts, starts + count + 1) ? kMainstemOk : kMainstemBadShape;
}

}  // namespace
}  // namespace mainstem

using namespace mainstem;

int32_t mainstem_update_norm(float* norm, double* parts, int64_t count, const int64_t* starts,
                             const void* const* grads, const int64_t* halves, int64_t variant) {
  const Variant* chosen = mainstem::variant(variant);
  if (const int32_t bad = check(count, starts, chosen)) return bad;
  const Update& update = table(chosen->isa);
  struct Work {
    double* parts;
    int64_t count;
    const int64_t* starts;
    const void* const* grads;
    const int64_t* halves;
    const Update& update;
  } work{parts, count, starts, grads, halves, update};
  parallel_for(
      chunks(starts[count]), 1,
      [](int64_t begin, int64_t end, void* context) {
        const Work& own = *static_cast<const Work*>(context);
        for (int64_t number = begin; number < end; ++number) {
          double sum = 0;
          pieces(number, own.count, own.starts, [&](int64_t tensor, int64_t at, int64_t length) {
            const bool half = own.halves[tensor] != 0;
            sum += own.update.squares(offset(own.grads[tensor], at, half), length, half);
          });
          own.parts[number] = sum;
        }
      },
      &work);
  double sum = 0;
  for (int64_t number = 0; number < chunks(starts[count]); ++number) sum += parts[number];
  *norm = static_cast<float>(std::sqrt(sum));
  return kMainstemOk;
}

int32_t mainstem_update_adamw(const MainstemAdamw* lists, int64_t variant) {
  const MainstemAdamw& l = *lists;
  const Variant* chosen = mainstem::variant(variant);
  if (const int32_t bad = check(l.count, l.starts, chosen)) return bad;
  const Update& update = table(chosen->isa);
  const float scale = share(l.norm, l.max_norm);
  everywhere(l.count, l.starts, [&](int64_t tensor, int64_t at, int64_t length) {
    const double step = static_cast<double>(*l.steps[tensor]) + 1;
    AdamwRun run{};
    run.count = length;
    run.half_param = l.halves[tensor] & 1;
    run.half_grad = l.halves[tensor] & 2;
    run.half_moments = l.halves[tensor] & 4;
    run.param = offset(l.params[tensor], at, run.half_param);
    run.grad = offset(l.grads[tensor], at, run.half_grad);
    run.exp_avg = offset(l.exp_avgs[tensor], at, run.half_moments);
    run.exp_avg_sq = offset(l.exp_avg_sqs[tensor], at, run.half_moments);
    run.average = offset(l.averages, tensor, at);
    run.master = offset(l.masters, tensor, at);
    run.first = lerp_by(1 - l.beta1);
    run.follow = lerp_by(1 - l.average_decay);
    run.share = scale;
    run.beta2 = static_cast<float>(l.beta2);
    run.beta2_rest = static_cast<float>(1 - l.beta2);
    run.inverse_root = static_cast<float>(1 / std::sqrt(1 - std::pow(l.beta2, step)));
    run.eps = static_cast<float>(l.eps);
    run.keep = static_cast<float>(1 - l.rates[tensor] * l.decays[tensor]);
    run.rate = static_cast<float>(l.rates[tensor] / (1 - std::pow(l.beta1, step)));
    update.adamw(run);
  });
  // After the last reader, and for tensors without elements too.
  for (int64_t tensor = 0; tensor < l.count; ++tensor) *l.steps[tensor] += 1;
  return kMainstemOk;
}

int32_t mainstem_update_momentum(const MainstemMomentum* lists, int64_t variant) {
  const MainstemMomentum& l = *lists;
  const Variant* chosen = mainstem::variant(variant);
  if (const int32_t bad = check(l.count, l.starts, chosen)) return bad;
  const Update& update = table(chosen->isa);
  const float scale = share(l.norm, l.max_norm);
  everywhere(l.count, l.starts, [&](int64_t tensor, int64_t at, int64_t length) {
    MomentumRun run{};
    run.count = length;
    run.half_buffer = l.halves[tensor] & 1;
    run.half_grad = l.halves[tensor] & 2;
    run.buffer = offset(l.buffers[tensor], at, run.half_buffer);
    run.grad = offset(l.grads[tensor], at, run.half_grad);
    run.update = offset(l.updates, tensor, at);
    run.gather = lerp_by(1 - l.momentum);
    run.look = lerp_by(l.momentum);
    run.share = scale;
    update.momentum(run);
  });
  return kMainstemOk;
}

int32_t mainstem_update_step(const MainstemStep* lists, int64_t variant) {
  const MainstemStep& l = *lists;
  const Variant* chosen = mainstem::variant(variant);
  if (const int32_t bad = check(l.count, l.starts, chosen)) return bad;
  const Update& update = table(chosen->isa);
  everywhere(l.count, l.starts, [&](int64_t tensor, int64_t at, int64_t length) {
    StepRun run{};
    run.count = length;
    run.half_param = l.halves[tensor] & 1;
    run.half_update = l.halves[tensor] & 2;
    run.param = offset(l.params[tensor], at, run.half_param);
    run.update = offset(l.updates[tensor], at, run.half_update);
    run.average = offset(l.averages, tensor, at);
    run.master = offset(l.masters, tensor, at);
    run.follow = lerp_by(1 - l.average_decay);
    run.keep = static_cast<float>(l.keeps[tensor]);
    run.size = static_cast<float>(l.sizes[tensor]);
    update.step(run);
  });
  return kMainstemOk;
}
