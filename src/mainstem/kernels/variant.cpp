// Which variants this build has and this processor can run, asked when the kernel runs.
#include "variant.h"

#include "api.h"

namespace mainstem {
namespace {

struct Entry {
  const Variant* variant;
  bool (*supported)();
};

// From the slowest to the fastest: the last one supported is the best.
const Entry kEntries[] = {
    {&kBaseline, [] { return true; }},
#ifdef MAINSTEM_AVX2
    {&kAvx2, [] { return __builtin_cpu_supports("avx2") != 0; }},
#endif
#ifdef MAINSTEM_AVX512
    {&kAvx512,
     [] {
       return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
              __builtin_cpu_supports("avx512vl") != 0;
     }},
#endif
#ifdef MAINSTEM_NEON
    {&kNeon, [] { return true; }},
#endif
};
constexpr int64_t kCount = sizeof(kEntries) / sizeof(kEntries[0]);

}  // namespace

const Variant* variant(int64_t index) {
  if (index == -1) {
    for (index = kCount - 1; !kEntries[index].supported(); --index) {
    }
    return kEntries[index].variant;
  }
  const bool usable = index >= 0 && index < kCount && kEntries[index].supported();
  return usable ? kEntries[index].variant : nullptr;
}

}  // namespace mainstem

int64_t mainstem_num_variants() { return mainstem::kCount; }

const char* mainstem_variant_name(int64_t index) {
  const mainstem::Variant* found = mainstem::variant(index);
  return found == nullptr ? nullptr : found->name;
}
