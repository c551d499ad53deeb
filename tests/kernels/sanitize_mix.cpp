// Runs every variant of the streams and of sums over depth in buffers of exactly their size, under the sanitizers.
//
// Forward is compared with double arithmetic from the formula; the exit status is the number of faults.
#include <cmath>
#include <cstdio>
#include <vector>

#include "mix.h"
#include "sanitize.h"

namespace {

std::vector<float> filled(int64_t count, int64_t factor) {
  std::vector<float> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(static_cast<int64_t>(i) * factor % 11) * 0.25f - 1.0f;
  return values;
}

void check(int64_t tokens, int64_t S, int64_t D, bool each, bool dynamic, int64_t dtype, int64_t variant) {
  const int64_t table = S * (S + 2), tables = each ? tokens * table : table, chunk = 3, n = tokens * S * D;
  const int64_t chunks = (tokens + chunk - 1) / chunk, summed = mainstem::mix_sums(S, D);
  // A bfloat16 array is half a float one of the same shape; its values are whatever those bits say.
  const auto bytes = [&](int64_t count, int64_t factor) {
    std::vector<uint16_t> halves(static_cast<size_t>(count));
    for (size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<uint16_t>(0x3F00 + static_cast<int64_t>(i) * factor % 200);
    return halves;
  };
  const bool wide = dtype == kMainstemFloat32;
  std::vector<float> h = filled(wide ? n : 0, 3), y = filled(wide ? tokens * D : 0, 5), next(h.size()), x(y.size()), dh(h.size()), dy(y.size());
  std::vector<uint16_t> h16 = bytes(wide ? 0 : n, 3), y16 = bytes(wide ? 0 : tokens * D, 5), next16(h16.size()), x16(y16.size()), dh16(h16.size()), dy16(y16.size());
  std::vector<float> weights = filled(tables, 7), base = filled(dynamic ? table : tables, 5), project = filled((S + 2) * D, 3), scales = {0.5f, 2.0f};
  const size_t out_size = static_cast<size_t>(dynamic ? tokens * table : 0);
  std::vector<float> out(out_size), z(out_size), inverse(static_cast<size_t>(dynamic ? tokens * S : 0)), dout(out_size, 1.0f);
  std::vector<float> dweights(static_cast<size_t>(each ? tables : 0)), dbase(static_cast<size_t>(each && !dynamic ? tables : 0));
  std::vector<float> parts(static_cast<size_t>(chunks * mainstem::mix_part(S, D))), sums(static_cast<size_t>(summed));
  MainstemMix m{};
  m.tokens = tokens; m.streams = S; m.columns = D; m.dtype = dtype; m.eps = 0.25; m.chunk = chunk;
  m.weights_stride = each ? table : 0;
  m.base_stride = each && !dynamic ? table : 0;
  const auto pick = [&](std::vector<float>& a, std::vector<uint16_t>& b) { return wide ? static_cast<void*>(a.data()) : b.data(); };
  std::vector<float> dummy(1);
  m.h = pick(h, h16); m.y = pick(y, y16); m.next = pick(next, next16); m.x = pick(x, x16); m.dh = pick(dh, dh16); m.dy = pick(dy, dy16);
  // Null means a stage that is left out, and an empty vector may be null.
  if (m.y == nullptr) m.y = dummy.data();
  if (m.x == nullptr) m.x = dummy.data();
  m.weights = weights.data(); m.base = base.data();
  if (dynamic) { m.project = project.data() == nullptr ? dummy.data() : project.data(); m.scales = scales.data(); m.dout = dout.data(); }
  m.out = out.data(); m.z = z.data(); m.inverse = inverse.data();
  m.dnext = m.next; m.dx = m.x; m.dweights = dweights.data(); m.dbase = dbase.data(); m.parts = parts.data(); m.sums = sums.data();
  if (mainstem_mix(&m, variant) != kMainstemOk || mainstem_mix_backward(&m, variant) != kMainstemOk) ++faults;
  if (!wide) return;
  for (int64_t token = 0; token < tokens; ++token) {
    const float* w = weights.data() + (each ? token * table : 0);
    for (int64_t t = 0; t < S; ++t) {
      for (int64_t c = 0; c < D; ++c) {
        double wanted = double(w[t * (S + 2) + S + 1]) * y[static_cast<size_t>(token * D + c)];
        for (int64_t s = 0; s < S; ++s) wanted += double(w[s * (S + 2) + 1 + t]) * h[static_cast<size_t>((token * S + s) * D + c)];
        if (std::fabs(wanted - next[static_cast<size_t>((token * S + t) * D + c)]) > 1e-4) { ++faults; return; }
      }
    }
  }
}

void check_depth(int64_t count, int64_t elements, int64_t variant) {
  std::vector<std::vector<float>> arrays, gradients;
  std::vector<const void*> x;
  std::vector<void*> dx;
  std::vector<int64_t> order;
  for (int64_t j = 0; j < count; ++j) {
    arrays.push_back(filled(elements, 3 + j));
    gradients.emplace_back(static_cast<size_t>(elements));
    order.push_back((j + count - 1) % count);
  }
  for (int64_t j = 0; j < count; ++j) { x.push_back(arrays[static_cast<size_t>(j)].data()); dx.push_back(gradients[static_cast<size_t>(j)].data()); }
  std::vector<float> a = filled(count, 7), y(static_cast<size_t>(elements)), dy = filled(elements, 5), da(a.size());
  const int64_t chunk = 100;
  std::vector<float> parts(static_cast<size_t>((elements + chunk - 1) / chunk * count));
  const MainstemDepth d = {count, elements, kMainstemFloat32, chunk, x.data(), a.data(), order.data(), y.data(), dy.data(), dx.data(), parts.data(), da.data()};
  if (mainstem_depth_sum(&d, variant) != kMainstemOk || mainstem_depth_sum_backward(&d, variant) != kMainstemOk) ++faults;
  for (int64_t j = 0; j < count; ++j) {
    double product = 0;
    for (size_t i = 0; i < y.size(); ++i) product += double(dy[i]) * arrays[static_cast<size_t>(j)][i];
    if (std::fabs(product - da[static_cast<size_t>(j)]) > 1e-3 * (1 + std::fabs(product))) ++faults;
  }
  for (size_t i = 0; i < y.size(); ++i) {
    double wanted = 0;
    for (int64_t j = 0; j < count; ++j) wanted += double(a[static_cast<size_t>(j)]) * arrays[static_cast<size_t>(j)][i];
    if (std::fabs(wanted - y[i]) > 1e-4) { ++faults; return; }
  }
}

}  // namespace

int main() {
  for (int64_t variant = 0; variant < mainstem_num_variants(); ++variant) {
    if (mainstem_variant_name(variant) == nullptr) continue;
    for (const bool threads : {false, true}) {
      mainstem_set_parallel_for(threads ? reinterpret_cast<void*>(three_threads) : nullptr);
      for (const int64_t streams : {1, 2, 3, 4, 16}) {
        for (const int64_t columns : {0, 1, 7, 16, 31, 130}) {
          for (const int64_t tokens : {0, 1, 7, 23}) {
            for (int flags = 0; flags < 8; ++flags) check(tokens, streams, columns, flags & 1, flags & 2, flags & 4 ? kMainstemBfloat16 : kMainstemFloat32, variant);
          }
        }
      }
      for (const int64_t count : {1, 2, 25}) {
        for (const int64_t elements : {0, 1, 15, 17, 1000, 5003}) check_depth(count, elements, variant);
      }
    }
  }
  std::printf("streams: %d faults\n", faults);
  return faults == 0 ? 0 : 1;
}
