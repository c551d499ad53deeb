// Runs dropout_add_norm by every variant over odd shapes in buffers of exactly their size, so that the sanitizers see
// each wrong access. Values are compared with the formula, one element at a time; the mask is that of mainstem_dropout.
#include <cmath>
#include <cstdio>
#include <vector>

#include "dropout_add_norm_api.h"
#include "sanitize.h"

namespace {

struct Case {
  int64_t samples, rows, columns, threshold;
  bool layer, affine, stream, same;
};

void expect(bool right, const char* what, const char* variant, const Case& c) {
  if (right) return;
  ++faults;
  std::printf("%s: %s at [%lld, %lld, %lld] threshold %lld layer %d affine %d\n", variant, what, (long long)c.samples,
              (long long)c.rows, (long long)c.columns, (long long)c.threshold, c.layer, c.affine);
}

template <class X, class S>
void check(const Case& c, int64_t variant, const char* name) {
  const int64_t rows = c.samples * c.rows, columns = c.columns, chunk = 3, key[3] = {-81985529216486896, 3, 15};
  const size_t count = static_cast<size_t>(rows * columns), lines = static_cast<size_t>(rows);
  const size_t width = static_cast<size_t>(columns);
  const double rough = sizeof(X) + sizeof(S) == 8 ? 2e-4 : 4e-2, eps = 0.25, scale = 0.5;
  std::vector<int64_t> numbers;
  for (int64_t i = 0; i < c.samples; ++i) numbers.push_back(0xFFFFFFFF - i);
  const MainstemDraw draw = {c.threshold < 0 ? nullptr : &c.threshold, key, numbers.data(), 77};
  const MainstemFused shape = {c.samples, c.rows, columns, sizeof(X) == 4 ? 0 : 1, sizeof(S) == 4 ? 0 : 1,
                               c.layer, eps, scale};
  std::vector<X> x(count), dx(count);
  std::vector<S> residual(count), stream(count), normed(count), dstream(count), dnormed(count), dresidual(count);
  std::vector<float> gain(width), bias(width), dgain(width), dbias(width), inverse(lines);
  std::vector<float> mean(c.layer ? lines : 0), parts(static_cast<size_t>((rows + chunk - 1) / chunk * 2 * columns));
  for (size_t i = 0; i < count; ++i) {
    set(x[i], static_cast<float>(i * 7 % 13) * 0.5f - 3.0f);
    set(residual[i], static_cast<float>(i * 3 % 17) * 0.25f - 1.0f);
    set(dstream[i], static_cast<float>(i * 11 % 7) * 0.25f - 1.0f);
    set(dnormed[i], static_cast<float>(i * 5 % 11) * 0.25f - 1.0f);
  }
  for (size_t i = 0; i < width; ++i) gain[i] = 0.5f + static_cast<float>(i % 3), bias[i] = static_cast<float>(i % 5);
  const float* own_gain = c.affine ? gain.data() : nullptr;
  const float* own_bias = c.affine && c.layer ? bias.data() : nullptr;
  std::vector<float> ones(count, 1.0f), factor(count, 1.0f);
  int32_t status = kMainstemOk;
  if (c.threshold >= 0) {
    const MainstemShape whole = {1, c.samples, c.rows, columns, 0, 0};
    status |= mainstem_dropout(factor.data(), ones.data(), kMainstemFloat32, &whole, &c.threshold, key, numbers.data(),
                               77, variant);
  }
  status |= mainstem_dropout_add_norm(stream.data(), normed.data(), inverse.data(), mean.data(), x.data(),
                                      residual.data(), own_gain, own_bias, &shape, &draw, variant);
  status |= mainstem_dropout_add_norm_backward(
      dresidual.data(), c.same ? nullptr : dx.data(), c.affine ? dgain.data() : nullptr,
      own_bias == nullptr ? nullptr : dbias.data(), parts.data(), c.stream ? dstream.data() : nullptr, dnormed.data(),
      stream.data(), inverse.data(), mean.data(), own_gain, &shape, &draw, chunk, variant);
  expect(status == kMainstemOk, "refused", name, c);
  std::vector<double> gains(width), biases(width);
  for (int64_t r = 0; r < rows; ++r) {
    const size_t at = static_cast<size_t>(r * columns);
    double centre = 0, square = 0, plain = 0, products = 0;
    for (size_t i = 0; i < width; ++i) {
      const double sum = value(residual[at + i]) + scale * factor[at + i] * value(x[at + i]);
      expect(near(value(stream[at + i]), sum, rough), "wrong stream", name, c);
      centre += c.layer ? value(stream[at + i]) / static_cast<double>(columns) : 0;
    }
    for (size_t i = 0; i < width; ++i) square += std::pow(value(stream[at + i]) - centre, 2);
    const double root = std::sqrt(square / static_cast<double>(columns) + eps);
    const auto normal = [&](size_t i) { return (value(stream[at + i]) - centre) / root; };
    const auto given = [&](size_t i) { return value(dnormed[at + i]) * (c.affine ? gain[i] : 1.0); };
    for (size_t i = 0; i < width; ++i) {
      const double expected = normal(i) * (c.affine ? gain[i] : 1.0) + (own_bias == nullptr ? 0.0 : bias[i]);
      expect(near(value(normed[at + i]), expected, rough), "wrong norm", name, c);
      plain += c.layer ? given(i) / static_cast<double>(columns) : 0;
      products += given(i) * normal(i) / static_cast<double>(columns);
      gains[i] += value(dnormed[at + i]) * normal(i);
      biases[i] += value(dnormed[at + i]);
    }
    for (size_t i = 0; i < width; ++i) {
      const double sum = (c.stream ? value(dstream[at + i]) : 0.0) + (given(i) - plain - normal(i) * products) / root;
      expect(near(value(dresidual[at + i]), sum, rough), "wrong gradient of the residual", name, c);
      if (c.same) continue;
      expect(near(value(dx[at + i]), sum * factor[at + i] * scale, rough), "wrong gradient of x", name, c);
      expect(factor[at + i] != 0 || value(dx[at + i]) == 0, "a gradient where x was dropped", name, c);
    }
  }
  for (size_t i = 0; i < width; ++i) {
    if (c.affine) expect(near(dgain[i], gains[i], 2e-3), "wrong gradient of the gain", name, c);
    if (own_bias != nullptr) expect(near(dbias[i], biases[i], 2e-3), "wrong gradient of the bias", name, c);
  }
}

}  // namespace

int main() {
  std::vector<Case> cases;
  for (const int64_t columns : {0, 1, 7, 8, 15, 16, 17, 31, 64, 129, 521}) {
    for (const int64_t rows : {0, 1, 5, 70}) {
      for (const int64_t threshold : {-1, 0, 20000, 65536}) {
        for (const bool layer : {false, true}) {
          cases.push_back({3, rows, columns, threshold, layer, rows % 2 == 1, threshold != 0, threshold == -1});
          cases.push_back({2, rows, columns, threshold, layer, true, rows != 5, false});
        }
      }
    }
  }
  cases.push_back({2, 2, kMainstemFusedColumns, 20000, true, true, true, false});
  cases.push_back({2, 2, kMainstemFusedColumns - 3, 20000, false, true, true, false});
  int64_t variants = 0;
  for (int64_t variant = 0; variant < mainstem_num_variants(); ++variant) {
    const char* name = mainstem_variant_name(variant);
    if (name == nullptr) continue;
    ++variants;
    for (const bool threads : {false, true}) {
      mainstem_set_parallel_for(threads ? reinterpret_cast<void*>(three_threads) : nullptr);
      for (const Case& one : cases) {
        check<float, float>(one, variant, name);
        check<uint16_t, uint16_t>(one, variant, name);
        check<uint16_t, float>(one, variant, name);
        check<float, uint16_t>(one, variant, name);
      }
    }
  }
  std::printf("%lld variants, %zu arrays of four kinds each: %d faults\n", (long long)variants, cases.size(), faults);
  return faults == 0 ? 0 : 1;
}
