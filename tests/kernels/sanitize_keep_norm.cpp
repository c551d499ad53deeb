// Runs every variant over odd shapes in buffers of exactly their size, so that the sanitizers see each wrong access.
//
// Values are compared with one element at a time, written from the formula; the exit status is the number of faults.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <vector>

#include "api.h"
#include "sanitize.h"

namespace {

void expect(bool right, const char* what, const char* variant, const MainstemShape& s) {
  if (right) return;
  ++faults;
  std::printf("%s: %s at [%lld, %lld, %lld, %lld] queries %lld context %lld\n", variant, what, (long long)s.before,
              (long long)s.batch, (long long)s.between, (long long)s.columns, (long long)s.queries, (long long)s.context);
}

uint16_t half(const int64_t* key, int64_t sample, int64_t site, int64_t row, int64_t column, int64_t width) {
  uint64_t c[4] = {static_cast<uint64_t>(row * ((width + 7) / 8) + column / 8), static_cast<uint64_t>(sample),
                   static_cast<uint64_t>(key[2] << 28 | key[1]), static_cast<uint64_t>(site)};
  uint64_t k0 = static_cast<uint64_t>(key[0]) & 0xFFFFFFFF, k1 = static_cast<uint64_t>(key[0]) >> 32;
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = 0xD2511F53u * c[0], b = 0xCD9E8D57u * c[2];
    const uint64_t next[4] = {(b >> 32) ^ c[1] ^ k0, b & 0xFFFFFFFF, (a >> 32) ^ c[3] ^ k1, a & 0xFFFFFFFF};
    std::memcpy(c, next, sizeof c);
    k0 = (k0 + 0x9E3779B9) & 0xFFFFFFFF;
    k1 = (k1 + 0xBB67AE85) & 0xFFFFFFFF;
  }
  return static_cast<uint16_t>(c[column % 8 / 2] >> (column % 2 * 16));
}

struct Case {
  MainstemShape shape;
  int64_t threshold;
};

void check(const Case& one, int64_t variant, const char* name) {
  const MainstemShape& s = one.shape;
  const int64_t key[3] = {-81985529216486896, 3, 15}, site = 0x1780AABA;
  std::vector<int64_t> samples;
  for (int64_t i = 0; i < s.batch; ++i) samples.push_back(0xFFFFFFFF - i);
  const int64_t rows = s.before * s.batch * s.between, groups = (s.columns + 7) / 8;
  std::vector<float> x(static_cast<size_t>(rows * s.columns), 3.0f), y(x.size());
  std::vector<uint16_t> x16(x.size(), 0x4040), y16(x.size());  // 3 in bfloat16
  std::vector<uint8_t> bits(static_cast<size_t>(rows * groups));
  const int32_t status = mainstem_dropout(y.data(), x.data(), kMainstemFloat32, &s, &one.threshold, key, samples.data(),
                                          site, variant) |
                         mainstem_dropout(y16.data(), x16.data(), kMainstemBfloat16, &s, &one.threshold, key,
                                          samples.data(), site, variant) |
                         mainstem_mask_bits(bits.data(), &s, &one.threshold, key, samples.data(), site, variant);
  expect(status == kMainstemOk, "refused", name, s);
  const int64_t each = s.batch > 0 ? rows * s.columns / s.batch : 0;
  std::vector<float> whole(x.size());
  std::vector<uint16_t> whole16(x.size());
  const int32_t path = mainstem_drop_path(whole.data(), x.data(), kMainstemFloat32, s.batch, each, &one.threshold, key,
                                          samples.data(), site, variant) |
                       mainstem_drop_path(whole16.data(), x16.data(), kMainstemBfloat16, s.batch, each, &one.threshold,
                                          key, samples.data(), site, variant);
  expect(path == kMainstemOk, "path refused", name, s);
  for (size_t i = 0; i < whole.size(); ++i) {
    const bool keep = half(key, samples[i / static_cast<size_t>(each)], site, 0, 0, 1) >= one.threshold;
    expect((whole[i] != 0) == keep && (whole16[i] != 0) == keep, "wrong path", name, s);
  }
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t q = r % s.between, b = r / s.between % s.batch, p = r / s.between / s.batch;
    const int64_t row = s.context > 0 ? q / s.queries * s.context + q % s.queries : p * s.between + q;
    const int64_t width = s.context > 0 ? s.context : s.columns;
    for (int64_t c = 0; c < groups * 8; ++c) {
      const bool inside = c < s.columns;
      const bool keep = inside && half(key, samples[static_cast<size_t>(b)], site, row, c, width) >= one.threshold;
      expect((bits[static_cast<size_t>(r * groups + c / 8)] >> (c % 8) & 1) == keep, "wrong bit", name, s);
      if (!inside) continue;
      const size_t at = static_cast<size_t>(r * s.columns + c);
      expect((y[at] != 0) == keep && (y16[at] != 0) == keep, "wrong element", name, s);
    }
  }
}

// x is [inner, middle, columns + 1] in memory and is read as [middle, inner, columns]; y and dy are contiguous.
template <class Element>
void check_norm(int64_t middle, int64_t inner, int64_t columns, bool with_gain, int64_t variant, const char* name) {
  const int64_t dtype = sizeof(Element) == 4 ? kMainstemFloat32 : kMainstemBfloat16, chunk = 3, rows = middle * inner;
  const double rough = sizeof(Element) == 4 ? 1e-4 : 2e-2, eps = 0.25;
  const int64_t width = columns + 1;
  const MainstemRows shape = {1, middle, inner, columns, {0, width, middle * width}, {0, inner * columns, columns},
                              {0, inner * columns, columns}, nullptr, nullptr};
  const MainstemShape shown = {1, middle, inner, columns, 0, with_gain};
  std::vector<Element> x(static_cast<size_t>(rows > 0 ? rows * width - 1 : 0)), dy(static_cast<size_t>(rows * columns));
  std::vector<Element> y(dy.size()), dx(dy.size());
  std::vector<float> gain(static_cast<size_t>(columns)), dgain(gain.size(), -1.0f), inverse(static_cast<size_t>(rows));
  std::vector<float> parts(static_cast<size_t>((rows + chunk - 1) / chunk * columns));
  for (size_t i = 0; i < x.size(); ++i) set(x[i], static_cast<float>(i * 7 % 13) * 0.5f - 3.0f);
  for (size_t i = 0; i < dy.size(); ++i) set(dy[i], static_cast<float>(i * 5 % 11) * 0.25f - 1.0f);
  for (size_t i = 0; i < gain.size(); ++i) gain[i] = 0.5f + static_cast<float>(i % 3);
  const float* scale = with_gain ? gain.data() : nullptr;
  const int32_t status =
      mainstem_rms_norm(y.data(), inverse.data(), x.data(), scale, dtype, &shape, eps, variant) |
      mainstem_rms_norm_backward(dx.data(), dgain.data(), parts.data(), dy.data(), x.data(), scale, inverse.data(),
                                 dtype, &shape, chunk, variant);
  expect(status == kMainstemOk, "norm refused", name, shown);
  std::vector<double> sums(gain.size(), with_gain ? 0.0 : -1.0);
  for (int64_t r = 0; r < rows; ++r) {
    const Element* from = x.data() + r / inner * width + r % inner * middle * width;
    double squares = 0, products = 0;
    for (int64_t c = 0; c < columns; ++c) squares += double(value(from[c])) * value(from[c]);
    const double rms = std::sqrt(squares / static_cast<double>(columns) + eps);
    const auto upstream = [&](int64_t c) { return value(dy[static_cast<size_t>(r * columns + c)]); };
    const auto gained = [&](int64_t c) { return with_gain ? gain[static_cast<size_t>(c)] : 1.0f; };
    for (int64_t c = 0; c < columns; ++c) products += value(from[c]) / rms * upstream(c) * gained(c);
    products /= static_cast<double>(columns);
    for (int64_t c = 0; c < columns; ++c) {
      const size_t at = static_cast<size_t>(r * columns + c);
      const double normed = value(from[c]) / rms;
      expect(near(value(y[at]), normed * gained(c), rough), "wrong norm", name, shown);
      expect(near(value(dx[at]), (upstream(c) * gained(c) - normed * products) / rms, rough), "wrong dx", name, shown);
      if (with_gain) sums[static_cast<size_t>(c)] += upstream(c) * normed;
    }
  }
  for (size_t c = 0; c < sums.size(); ++c) expect(near(dgain[c], sums[c], 1e-3), "wrong dgain", name, shown);
}

// Pairs rotated behind the norm: y is the plain norm rotated, and of dy rotated dx is the plain one of dy.
template <class Element>
void check_rotated(int64_t positions, int64_t columns, int64_t variant, const char* name) {
  const int64_t dtype = sizeof(Element) == 4 ? kMainstemFloat32 : kMainstemBfloat16, half = columns / 2, chunk = 3, rows = 2 * positions;
  const double rough = sizeof(Element) == 4 ? 1e-4 : 3e-2;
  const int64_t stride[3] = {0, positions * columns, columns};
  std::vector<float> cosine(static_cast<size_t>(positions * half)), sine(cosine.size()), gain(static_cast<size_t>(columns), 1.5f);
  for (size_t i = 0; i < cosine.size(); ++i) {
    cosine[i] = static_cast<float>(std::cos(0.3 * static_cast<double>(i)));
    sine[i] = static_cast<float>(std::sin(0.3 * static_cast<double>(i)));
  }
  MainstemRows plain{1, 2, positions, columns, {}, {}, {}, nullptr, nullptr};
  for (int i = 0; i < 3; ++i) plain.x[i] = plain.y[i] = plain.dy[i] = stride[i];
  MainstemRows rotating = plain;
  rotating.cosine = cosine.data();
  rotating.sine = sine.data();
  const MainstemShape shown = {2, 1, positions, columns, 0, 0};
  std::vector<Element> x(static_cast<size_t>(rows * columns)), dy(x.size()), y(x.size()), dx(x.size()), rotated(x.size()), found(x.size());
  std::vector<float> dgain(gain.size()), inverse(static_cast<size_t>(rows)), parts(static_cast<size_t>((rows + chunk - 1) / chunk * columns));
  for (size_t i = 0; i < x.size(); ++i) {
    set(x[i], static_cast<float>(i * 7 % 13) * 0.5f - 3.0f);
    set(dy[i], static_cast<float>(i * 5 % 11) * 0.25f - 1.0f);
  }
  const auto rotate = [&](const std::vector<Element>& from, size_t i) {
    const int64_t at = static_cast<int64_t>(i), column = at % columns, position = at / columns % positions;
    const size_t angle = static_cast<size_t>(position * half + column % half);
    const double own = value(from[i]), other = value(from[static_cast<size_t>(column < half ? at + half : at - half)]);
    return own * cosine[angle] + (column < half ? -1 : 1) * other * sine[angle];
  };
  int32_t status = mainstem_rms_norm(y.data(), inverse.data(), x.data(), gain.data(), dtype, &plain, 0.25, variant);
  status |= mainstem_rms_norm(found.data(), inverse.data(), x.data(), gain.data(), dtype, &rotating, 0.25, variant);
  for (size_t i = 0; i < x.size(); ++i) expect(near(value(found[i]), rotate(y, i), rough), "wrong rotation", name, shown);
  for (size_t i = 0; i < x.size(); ++i) set(rotated[i], static_cast<float>(rotate(dy, i)));
  const auto backward = [&](std::vector<Element>& to, const std::vector<Element>& from, const MainstemRows& shape) {
    return mainstem_rms_norm_backward(to.data(), dgain.data(), parts.data(), from.data(), x.data(), gain.data(), inverse.data(), dtype, &shape, chunk, variant);
  };
  status |= backward(dx, dy, plain) | backward(found, rotated, rotating);
  for (size_t i = 0; i < x.size(); ++i) expect(near(value(found[i]), value(dx[i]), rough), "wrong dx of rotated", name, shown);
  expect(status == kMainstemOk, "rotation refused", name, shown);
}

void check_norms(int64_t variant, const char* name) {
  for (const int64_t columns : {2, 14, 32, 46, 130}) {
    for (const int64_t positions : {0, 1, 9}) {
      check_rotated<float>(positions, columns, variant, name);
      check_rotated<uint16_t>(positions, columns, variant, name);
    }
  }
  for (const int64_t columns : {0, 1, 7, 15, 16, 17, 31, 64, 129, 521}) {
    for (const int64_t inner : {0, 1, 5, 70}) {
      for (const bool gain : {false, true}) {
        check_norm<float>(4, inner, columns, gain, variant, name);
        check_norm<uint16_t>(4, inner, columns, gain, variant, name);
      }
    }
  }
}

}  // namespace

int main() {
  std::vector<Case> cases;
  for (const int64_t threshold : {0, 20000, 65536}) {
    for (const int64_t columns : {0, 1, 7, 8, 9, 13, 31, 64, 129}) {
      cases.push_back({{1, 3, 5, columns, 0, 0}, threshold});
      cases.push_back({{2, 3, 0, columns, 0, 0}, threshold});
      cases.push_back({{2, 0, 5, columns, 0, 0}, threshold});
      cases.push_back({{3, 2, 4, columns, 0, 0}, threshold});
      cases.push_back({{1, 2, 3 * 5, columns, 5, 131}, threshold});
      if (columns > 0) cases.push_back({{1, 2, 3 * columns, columns, columns, columns}, threshold});
    }
    cases.push_back({{1, 2, 40, 521, 0, 0}, threshold});
    cases.push_back({{1, 1, 1, 70001, 0, 0}, threshold});
    cases.push_back({{1, 20000, 1, 1, 0, 0}, threshold});
    cases.push_back({{1, 1, 8 * 2, 3, 2, 1 << 16}, threshold});
  }
  int64_t variants = 0;
  for (int64_t variant = 0; variant < mainstem_num_variants(); ++variant) {
    const char* name = mainstem_variant_name(variant);
    if (name == nullptr) continue;
    ++variants;
    for (const bool threads : {false, true}) {
      mainstem_set_parallel_for(threads ? reinterpret_cast<void*>(three_threads) : nullptr);
      for (const Case& one : cases) check(one, variant, name);
      check_norms(variant, name);
    }
  }
  std::printf("%lld variants, %zu arrays and the norms each: %d faults\n", (long long)variants, cases.size(), faults);
  return faults == 0 ? 0 : 1;
}
