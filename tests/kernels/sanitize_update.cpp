// Updates of every variant over odd sizes in buffers of exactly their size, against one element at a time.
#include <cmath>
#include <cstdio>
#include <vector>

#include "update_api.h"
#include "sanitize.h"

namespace {

void expect(bool right, const char* what, int64_t variant, size_t size) {
  if (right) return;
  ++faults;
  std::printf("variant %lld: %s at %zu elements\n", (long long)variant, what, size);
}

template <class Element>
struct One {
  std::vector<Element> param, grad, mean, square;
  std::vector<float> average, master, look;
  float step = 2;
  explicit One(int64_t size) : param(size), grad(size), mean(size), square(size), average(size), master(size), look(size) {
    for (size_t i = 0; i < param.size(); ++i) {
      set(param[i], 0.1f * static_cast<float>(i % 7) - 0.3f);
      set(grad[i], 0.2f * static_cast<float>(i % 5) - 0.4f);
      set(mean[i], 0.01f * static_cast<float>(i % 3));
      set(square[i], 0.001f * static_cast<float>(i % 11) + 0.01f);
      average[i] = 0.5f;
      master[i] = value(param[i]) + 1e-4f;
    }
  }
};

template <class Element>
void check(const std::vector<int64_t>& sizes, int64_t variant, bool with_average) {
  constexpr bool kHalf = sizeof(Element) == 2;
  const double rough = kHalf ? 1e-2 : 1e-5;
  const auto near = [&](double a, double b) { return std::fabs(a - b) <= rough * (1 + std::fabs(b)); };
  std::vector<One<Element>> all, before;
  std::vector<int64_t> starts = {0}, halves(sizes.size(), kHalf ? 7 : 0), whole(sizes.size(), kHalf);
  for (const int64_t size : sizes) {
    all.emplace_back(size), before.emplace_back(size);
    starts.push_back(starts.back() + size);
  }
  std::vector<void*> param, mean, square;
  std::vector<const void*> grad, looks;
  std::vector<float*> steps, average, master, look;
  double squares = 0;
  for (One<Element>& one : all) {
    param.push_back(one.param.data()), mean.push_back(one.mean.data()), square.push_back(one.square.data());
    grad.push_back(one.grad.data()), looks.push_back(one.look.data()), look.push_back(one.look.data());
    steps.push_back(&one.step), average.push_back(one.average.data()), master.push_back(one.master.data());
    for (const Element g : one.grad) squares += static_cast<double>(value(g)) * value(g);
  }
  const int64_t count = static_cast<int64_t>(sizes.size());
  std::vector<double> parts(static_cast<size_t>((starts.back() + kMainstemUpdateChunk - 1) / kMainstemUpdateChunk));
  float norm = -1;
  if (mainstem_update_norm(&norm, parts.data(), count, starts.data(), grad.data(), whole.data(), variant) ==
      kMainstemBadVariant) {
    return;  // another processor's
  }
  expect(std::fabs(norm - std::sqrt(squares)) <= 1e-6 * std::sqrt(squares), "norm", variant, parts.size());
  const double clip = 0.25, share = squares > 0 ? std::fmin(1.0, clip / std::sqrt(squares)) : 1.0;
  std::vector<double> rates(sizes.size(), 0.01), decays(sizes.size(), 0.1), keeps(sizes.size(), 0.9);
  float* const* averages = with_average ? average.data() : nullptr;
  float* const* masters = kHalf ? master.data() : nullptr;
  const MainstemAdamw adamw = {count, starts.data(), param.data(), grad.data(), mean.data(), square.data(),
                               steps.data(), averages, masters, halves.data(), rates.data(), decays.data(), &norm,
                               0.9, 0.95, 1e-8, 0.99, clip};
  expect(mainstem_update_adamw(&adamw, variant) == kMainstemOk, "adamw refused", variant, sizes.size());
  for (size_t t = 0; t < all.size(); ++t) {
    const One<Element>&now = all[t], &old = before[t];
    expect(now.step == 3, "step", variant, now.param.size());
    for (size_t i = 0; i < now.param.size(); ++i) {
      const double g = share * value(old.grad[i]);
      const double m = 0.9 * value(old.mean[i]) + 0.1 * g, s = 0.95 * value(old.square[i]) + 0.05 * g * g;
      const double root = std::sqrt(s / (1 - std::pow(0.95, 3))) + 1e-8;
      const double from = kHalf ? old.master[i] : value(old.param[i]);
      const double w = from * (1 - 0.01 * 0.1) - 0.01 / (1 - std::pow(0.9, 3)) * m / root;
      const double a = with_average ? 0.5 + 0.01 * (w - 0.5) : 0.5;
      expect(near(value(now.param[i]), w) && near(value(now.mean[i]), m) && near(value(now.square[i]), s) &&
                 near(now.average[i], a) && value(now.grad[i]) == value(old.grad[i]),
             "adamw", variant, now.param.size());
      if (kHalf) expect(std::fabs(now.master[i] - w) < 1e-5, "master", variant, now.param.size());
    }
  }
  const std::vector<One<Element>> moved = all;
  const MainstemMomentum momentum = {count, starts.data(), mean.data(), grad.data(), look.data(), halves.data(),
                                     nullptr, 0.9, 0};
  expect(mainstem_update_momentum(&momentum, variant) == kMainstemOk, "momentum refused", variant, sizes.size());
  for (int64_t& half : halves) half &= 1;  // what was looked ahead to is float
  const MainstemStep step = {count, starts.data(), param.data(), looks.data(), averages, masters, halves.data(),
                             keeps.data(), rates.data(), 0.99};
  expect(mainstem_update_step(&step, variant) == kMainstemOk, "step refused", variant, sizes.size());
  for (size_t t = 0; t < all.size(); ++t) {
    for (size_t i = 0; i < all[t].param.size(); ++i) {
      const double g = value(moved[t].grad[i]), b = 0.9 * value(moved[t].mean[i]) + 0.1 * g;
      const double u = 0.1 * g + 0.9 * b, from = kHalf ? moved[t].master[i] : value(moved[t].param[i]);
      expect(near(value(all[t].mean[i]), b) && near(all[t].look[i], u) &&
                 near(value(all[t].param[i]), 0.9 * from - 0.01 * u),
             "momentum and step", variant, all[t].param.size());
    }
  }
}

}  // namespace

int main() {
  for (int64_t variant = -1; variant < mainstem_num_variants(); ++variant) {
    for (const bool with_average : {false, true}) {
      for (const std::vector<int64_t>& sizes :
           std::vector<std::vector<int64_t>>{{}, {0}, {1, 15, 0, 0, 16, 17, 511, 513}, {32767, 1, 2, 0, 70001}}) {
        check<float>(sizes, variant, with_average);
        check<uint16_t>(sizes, variant, with_average);
      }
    }
  }
  const int64_t bad[] = {0, -1};
  MainstemStep lists{};
  lists.count = 1;
  lists.starts = bad;
  expect(mainstem_update_step(&lists, -1) == kMainstemBadShape, "a negative size is taken", -1, 0);
  expect(mainstem_update_step(&lists, 99) == kMainstemBadVariant, "an unknown variant is taken", 99, 0);
  std::printf("updates: %d faults\n", faults);
  return faults != 0;
}
