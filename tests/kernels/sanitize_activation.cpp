// Runs every variant of the activations over odd shapes in buffers of exactly their size, under the sanitizers.
//
// Values are compared with double arithmetic from the formula, masks with those of dropout; the exit status is the
// number of faults.
#include <cmath>
#include <cstdio>
#include <vector>

#include "activation_api.h"
#include "sanitize.h"

namespace {

double phi(int64_t kind, double x, double gate) {
  if (kind == 0) return x * 0.5 * std::erfc(-x * std::sqrt(0.5));
  if (kind == 1 || kind == 3) return x > 0 ? x * x : 0;
  return gate / (1 + std::exp(-gate)) * x;
}

template <class Element>
void check(int64_t samples, int64_t rows, int64_t columns, int64_t kind, int64_t threshold, bool drop, int64_t variant) {
  const size_t count = static_cast<size_t>(samples * rows * columns);
  const bool gated = kind == 2;
  std::vector<Element> x(count), gate(gated ? count : 0), dy(count), y(count), dx(count), dgate(gate.size());
  for (size_t i = 0; i < count; ++i) {
    set(x[i], static_cast<float>(i * 7 % 13 + 1) * 0.5f - 3.25f);
    if (gated) set(gate[i], static_cast<float>(i * 5 % 17) * 0.5f - 4.0f);
    set(dy[i], static_cast<float>(i * 3 % 7) * 0.5f - 1.25f);
  }
  const int64_t key[3] = {-81985529216486896, 3, 15};
  std::vector<int64_t> numbers;
  for (int64_t i = 0; i < samples; ++i) numbers.push_back(0xFFFFFFFF - i);
  const MainstemActivation shape = {samples, rows, columns, sizeof(Element) == 4 ? kMainstemFloat32 : kMainstemBfloat16,
                                    kind, &threshold, key, drop ? numbers.data() : nullptr, 7};
  const Element* by = gated ? gate.data() : nullptr;
  // Kind 3 is what is written over its own arrays.
  const bool over = kind == 3;
  if (over) y = x, dx = dy;
  const Element *in = over ? y.data() : x.data(), *read = over ? y.data() : x.data();
  const Element* upstream = over ? dx.data() : dy.data();
  if (mainstem_activation(y.data(), in, by, &shape, variant) != kMainstemOk ||
      mainstem_activation_backward(dx.data(), gated ? dgate.data() : nullptr, upstream, read, by, &shape, variant) !=
          kMainstemOk) {
    ++faults;
    return;
  }
  std::vector<float> ones(count, 1.0f), kept(count, 1.0f);
  const MainstemShape numbered = {1, samples, rows, columns, 0, 0};
  if (drop) mainstem_dropout(kept.data(), ones.data(), kMainstemFloat32, &numbered, &threshold, key, numbers.data(), 7, 0);
  const double rough = sizeof(Element) == 4 ? 1e-5 : 1e-2;
  for (size_t i = 0; i < count; ++i) {
    const double at = value(x[i]), g = gated ? value(gate[i]) : 0, step = 1e-5;
    const double slope = (phi(kind, at + step, g) - phi(kind, at - step, g)) / (2 * step);
    const double across = (phi(kind, at, g + step) - phi(kind, at, g - step)) / (2 * step);
    const auto near = [&](double found, double wanted) { return std::fabs(found - wanted) <= rough * (1 + std::fabs(wanted)); };
    const bool right = near(value(y[i]), kept[i] * phi(kind, at, g)) && near(value(dx[i]), kept[i] * slope * value(dy[i])) &&
                       (!gated || near(value(dgate[i]), kept[i] * across * value(dy[i])));
    if (right) continue;
    ++faults;
    std::printf("variant %lld kind %lld [%lld, %lld, %lld] threshold %lld element %zu\n", (long long)variant,
                (long long)kind, (long long)samples, (long long)rows, (long long)columns, (long long)threshold, i);
    return;
  }
}

}  // namespace

int main() {
  for (int64_t variant = 0; variant < mainstem_num_variants(); ++variant) {
    if (mainstem_variant_name(variant) == nullptr) continue;
    for (const bool threads : {false, true}) {
      mainstem_set_parallel_for(threads ? reinterpret_cast<void*>(three_threads) : nullptr);
      for (int64_t kind = 0; kind < 4; ++kind) {
        for (const int64_t columns : {0, 1, 7, 8, 9, 15, 16, 17, 31, 64, 521, 4099}) {
          for (const int64_t rows : {0, 1, 5}) {
            for (const int64_t threshold : {-1, 0, 20000, 65536}) {
              check<float>(3, rows, columns, kind, threshold < 0 ? 0 : threshold, threshold >= 0, variant);
              check<uint16_t>(3, rows, columns, kind, threshold < 0 ? 0 : threshold, threshold >= 0, variant);
            }
          }
        }
      }
    }
  }
  std::printf("activations: %d faults\n", faults);
  return faults == 0 ? 0 : 1;
}
