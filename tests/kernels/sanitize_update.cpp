// Updates and norms of every variant over odd sizes in buffers of exactly their size, against one element at a time.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "update_api.h"

namespace {

int faults = 0;

void expect(bool right, const char* what, int64_t variant, size_t size) {
  if (right) return;
  ++faults;
  std::printf("variant %lld: %s at %zu elements\n", (long long)variant, what, size);
}

bool near(double a, double b) { return std::fabs(a - b) <= 1e-5 * (1 + std::fabs(b)); }

struct One {
  std::vector<float> weight, gradient, mean, square, average;
  explicit One(int64_t size) {
    for (int64_t i = 0; i < size; ++i) {
      weight.push_back(0.1f * static_cast<float>(i % 7) - 0.3f);
      gradient.push_back(0.2f * static_cast<float>(i % 5) - 0.4f);
      mean.push_back(0.01f * static_cast<float>(i % 3));
      square.push_back(0.001f * static_cast<float>(i % 11));
      average.push_back(0.5f);
    }
  }
};

void check(const std::vector<int64_t>& sizes, int64_t variant, bool with_average) {
  std::vector<One> all, before;
  for (const int64_t size : sizes) all.emplace_back(size), before.emplace_back(size);
  std::vector<float*> weight, mean, square, average;
  std::vector<const float*> gradient;
  double squares = 0;
  for (One& one : all) {
    weight.push_back(one.weight.data()), gradient.push_back(one.gradient.data()), mean.push_back(one.mean.data());
    square.push_back(one.square.data()), average.push_back(one.average.data());
    for (const float g : one.gradient) squares += static_cast<double>(g) * g;
  }
  const MainstemTensors tensors = {static_cast<int64_t>(sizes.size()), sizes.data(), weight.data(), gradient.data(),
                                   mean.data(), square.data(), with_average ? average.data() : nullptr};
  const MainstemAdamw v = {0.01, 0.9, 0.95, 1e-8, 0.1, 3, 0.5, 0.99};
  if (mainstem_adamw(&tensors, &v, variant) == kMainstemBadVariant) return;  // another processor's
  size_t chunks = 0;
  for (const int64_t size : sizes) chunks += static_cast<size_t>((size + 16383) / 16384);
  std::vector<double> parts(chunks);
  double found = -1;
  expect(mainstem_squares(&found, parts.data(), &tensors, variant) == kMainstemOk, "squares refused", variant, chunks);
  expect(near(found, squares), "squares", variant, chunks);
  for (size_t t = 0; t < all.size(); ++t) {
    for (size_t i = 0; i < all[t].weight.size(); ++i) {
      const double g = v.share * before[t].gradient[i];
      const double m = before[t].mean[i] + (1 - v.beta1) * (g - before[t].mean[i]);
      const double s = v.beta2 * before[t].square[i] + (1 - v.beta2) * g * g;
      const double root = std::sqrt(s) / std::sqrt(1 - std::pow(v.beta2, v.step)) + v.eps;
      const double w = before[t].weight[i] * (1 - v.lr * v.decay) - v.lr / (1 - std::pow(v.beta1, v.step)) * m / root;
      const double a = with_average ? 0.5 + (1 - v.average_decay) * (w - 0.5) : 0.5;
      expect(near(all[t].weight[i], w) && near(all[t].mean[i], m) && near(all[t].square[i], s) &&
                 near(all[t].average[i], a) && all[t].gradient[i] == before[t].gradient[i],
             "update", variant, all[t].weight.size());
    }
  }
}

}  // namespace

int main() {
  for (int64_t variant = -1; variant < mainstem_num_variants(); ++variant) {
    for (const bool with_average : {false, true}) {
      check({}, variant, with_average);
      check({0}, variant, with_average);
      check({1, 15, 16, 17, 0, 16384, 16385, 40001}, variant, with_average);
    }
  }
  const int64_t bad = -1;
  const MainstemTensors negative = {1, &bad, nullptr, nullptr, nullptr, nullptr, nullptr};
  const MainstemAdamw v = {};
  expect(mainstem_adamw(&negative, &v, -1) == kMainstemBadShape, "a negative size is taken", -1, 0);
  expect(mainstem_adamw(&negative, &v, 99) == kMainstemBadVariant, "an unknown variant is taken", 99, 0);
  std::printf(faults == 0 ? "updates: no fault\n" : "updates: %d faults\n", faults);
  return faults != 0;
}
