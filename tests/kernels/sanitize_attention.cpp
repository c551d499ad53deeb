// Attention of every variant over odd shapes in buffers of exactly their size, against sums written from the formula.
//
// The exit status is the number of faults.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <vector>

#include "attention_api.h"
#include "sanitize.h"

namespace {

struct Case {
  int64_t batch, heads, groups, queries, keys, width, causal, threshold, context, documents;
};

void expect(bool right, const char* what, const char* variant, const Case& c) {
  if (right) return;
  ++faults;
  std::printf("%s: %s at [%lld, %lld/%lld, %lld, %lld, %lld] causal %lld threshold %lld\n", variant, what,
              (long long)c.batch, (long long)c.heads, (long long)c.groups, (long long)c.queries, (long long)c.keys,
              (long long)c.width, (long long)c.causal, (long long)c.threshold);
}

// [batch, heads, rows, width] that lies in memory as [batch, rows, heads, width], with nothing behind its last element.
template <class Element>
struct Array {
  std::vector<Element> memory;
  int64_t strides[3];
  Array(int64_t batch, int64_t heads, int64_t rows, int64_t width, int seed)
      : memory(static_cast<size_t>(batch * heads * rows * width)), strides{rows * heads * width, width, heads * width} {
    for (size_t i = 0; i < memory.size(); ++i) set(memory[i], static_cast<float>((i * 7919 + seed) % 31) * 0.125f - 2);
  }
  float at(int64_t b, int64_t h, int64_t row, int64_t k) const {
    return value(memory[static_cast<size_t>(b * strides[0] + h * strides[1] + row * strides[2] + k)]);
  }
  void describe(int64_t* to) const { std::memcpy(to, strides, sizeof strides); }
};

template <class Element>
void check(const Case& c, int64_t variant, const char* name) {
  const int64_t dtype = sizeof(Element) == 4 ? kMainstemFloat32 : kMainstemBfloat16, share = c.heads / c.groups;
  const double rough = sizeof(Element) == 4 ? 1e-3 : 6e-2, scale = 0.25;
  Array<Element> query(c.batch, c.heads, c.queries, c.width, 1), out(c.batch, c.heads, c.queries, c.width, 2);
  Array<Element> dout(c.batch, c.heads, c.queries, c.width, 3), dquery(c.batch, c.heads, c.queries, c.width, 4);
  Array<Element> key(c.batch, c.groups, c.keys, c.width, 5), dkey(c.batch, c.groups, c.keys, c.width, 6);
  Array<Element> given(c.batch, c.groups, c.keys, c.width, 7), dvalue(c.batch, c.groups, c.keys, c.width, 8);
  MainstemAttention shape{c.batch, c.heads, c.groups, c.queries, c.keys, c.width, c.causal, c.context,
                          {}, {}, {}, {}, {}, {}, {}, {}};
  query.describe(shape.query), key.describe(shape.key), given.describe(shape.value), out.describe(shape.out);
  dout.describe(shape.dout), dquery.describe(shape.dquery), dkey.describe(shape.dkey), dvalue.describe(shape.dvalue);
  std::vector<float> lse(static_cast<size_t>(c.batch * c.heads * c.queries));
  std::vector<int64_t> documents(static_cast<size_t>(c.batch * c.keys)), samples;
  for (size_t i = 0; i < documents.size(); ++i) documents[i] = static_cast<int64_t>(i / 29 % 3);
  for (int64_t b = 0; b < c.batch; ++b) samples.push_back(0xFFFFFFFF - b);
  const int64_t seed[3] = {-81985529216486896, 3, 15}, site = 0x1780AABA;
  const int64_t* own = c.documents ? documents.data() : nullptr;
  const int64_t* threshold = c.threshold < 0 ? nullptr : &c.threshold;
  const int32_t status =
      mainstem_attention(out.memory.data(), lse.data(), query.memory.data(), key.memory.data(), given.memory.data(),
                         dtype, &shape, scale, own, threshold, seed, samples.data(), site, variant) |
      mainstem_attention_backward(dquery.memory.data(), dkey.memory.data(), dvalue.memory.data(), dout.memory.data(),
                                  out.memory.data(), lse.data(), query.memory.data(), key.memory.data(),
                                  given.memory.data(), dtype, &shape, scale, own, threshold, seed, samples.data(), site,
                                  variant);
  expect(status == kMainstemOk, "refused", name, c);
  // The decisions that ops.dropout would take, asked of the same library.
  const MainstemShape weights{1, c.batch, c.heads * c.queries, c.keys, c.queries, c.context};
  const int64_t bytes = (c.keys + 7) / 8;
  std::vector<uint8_t> bits(static_cast<size_t>(c.batch * c.heads * c.queries * bytes), 0xFF);
  if (threshold != nullptr && !bits.empty()) {
    expect(mainstem_mask_bits(bits.data(), &weights, threshold, seed, samples.data(), site, variant) == kMainstemOk,
           "mask refused", name, c);
  }
  const double kept_scale = threshold == nullptr ? 1 : c.threshold == 65536 ? 0 : 65536.0 / (65536 - c.threshold);
  for (int64_t b = 0; b < c.batch; ++b) {
    for (int64_t g = 0; g < c.groups; ++g) {
      std::vector<double> dk(static_cast<size_t>(c.keys * c.width)), dv(dk.size());
      for (int64_t h = g * share; h < (g + 1) * share; ++h) {
        for (int64_t q = 0; q < c.queries; ++q) {
          std::vector<double> weight(static_cast<size_t>(c.keys)), factor(weight.size()), slope(weight.size());
          double sum = 0, inner = 0;
          for (int64_t i = 0; i < c.keys; ++i) {
            const auto number = [&](int64_t at) { return documents[static_cast<size_t>(b * c.keys + at)]; };
            if ((c.causal && i > q + c.keys - c.queries) || (own != nullptr && number(i) != number(q))) continue;
            double score = 0;
            for (int64_t k = 0; k < c.width; ++k) score += double(query.at(b, h, q, k)) * key.at(b, g, i, k) * scale;
            weight[static_cast<size_t>(i)] = std::exp(score);
            sum += weight[static_cast<size_t>(i)];
          }
          for (int64_t i = 0; i < c.keys; ++i) {
            const size_t at = static_cast<size_t>(i);
            const size_t byte = static_cast<size_t>(((b * c.heads + h) * c.queries + q) * bytes + i / 8);
            weight[at] /= sum;
            factor[at] = (bits[byte] >> (i % 8) & 1) * kept_scale;
            for (int64_t k = 0; k < c.width; ++k) slope[at] += double(dout.at(b, h, q, k)) * given.at(b, g, i, k);
            slope[at] *= factor[at];
            inner += weight[at] * slope[at];
          }
          for (int64_t k = 0; k < c.width; ++k) {
            double mixed = 0, dq = 0;
            for (int64_t i = 0; i < c.keys; ++i) {
              const size_t at = static_cast<size_t>(i), to = static_cast<size_t>(i * c.width + k);
              const double dscore = weight[at] * (slope[at] - inner) * scale;
              mixed += weight[at] * factor[at] * given.at(b, g, i, k);
              dq += dscore * key.at(b, g, i, k);
              dk[to] += dscore * query.at(b, h, q, k);
              dv[to] += weight[at] * factor[at] * dout.at(b, h, q, k);
            }
            expect(near(out.at(b, h, q, k), mixed, rough), "wrong result", name, c);
            expect(near(dquery.at(b, h, q, k), dq, rough), "wrong dquery", name, c);
          }
        }
      }
      for (int64_t i = 0; i < c.keys * c.width; ++i) {
        const size_t at = static_cast<size_t>(i);
        expect(near(dkey.at(b, g, i / c.width, i % c.width), dk[at], rough), "wrong dkey", name, c);
        expect(near(dvalue.at(b, g, i / c.width, i % c.width), dv[at], rough), "wrong dvalue", name, c);
      }
    }
  }
}

void check_refusals(int64_t variant, const char* name) {
  const int64_t good = 9, bad = 65537, key[3] = {1, 2, 0}, late[3] = {1, int64_t{1} << 28, 0}, samples[1] = {0};
  const MainstemAttention shape{1, 2, 1, 3, 3, 4, 1, 3, {}, {}, {}, {}, {}, {}, {}, {}};
  const Case shown{1, 2, 1, 3, 3, 4, 1, 0, 3, 0};
  const auto call = [&](const MainstemAttention& s, const int64_t* threshold, const int64_t* words, int64_t dtype,
                        int64_t which) {
    return mainstem_attention(nullptr, nullptr, nullptr, nullptr, nullptr, dtype, &s, 1.0, nullptr, threshold, words,
                              samples, 1, which);
  };
  MainstemAttention uneven = shape, backwards = shape, narrow = shape, huge = shape;
  uneven.groups = 3, backwards.queries = 4, narrow.context = 2, huge.context = int64_t{1} << 40;
  expect(call(uneven, &good, key, 0, variant) == kMainstemBadShape, "groups taken", name, shown);
  expect(call(backwards, nullptr, key, 0, variant) == kMainstemBadShape, "more queries than keys taken", name, shown);
  expect(call(narrow, &good, key, 0, variant) == kMainstemBadShape, "a small context taken", name, shown);
  expect(call(huge, &good, key, 0, variant) == kMainstemBadShape, "a large context taken", name, shown);
  expect(call(shape, &bad, key, 0, variant) == kMainstemBadThreshold, "threshold taken", name, shown);
  expect(call(shape, &good, late, 0, variant) == kMainstemBadPass, "step taken", name, shown);
  expect(call(shape, &good, key, 2, variant) == kMainstemBadDtype, "dtype taken", name, shown);
  expect(call(shape, &good, key, 0, 99) == kMainstemBadVariant, "variant taken", name, shown);
}

}  // namespace

int main() {
  const Case cases[] = {
      {1, 1, 1, 1, 1, 1, 1, -1, 0, 0},      {2, 2, 1, 3, 3, 5, 1, 20000, 3, 0},    {1, 2, 2, 64, 64, 16, 1, 6554, 64, 0},
      {2, 4, 2, 65, 65, 17, 1, 6554, 70, 1}, {1, 1, 1, 130, 130, 33, 0, 30000, 130, 1}, {1, 2, 1, 5, 70, 7, 1, 65536, 70, 0},
      {1, 2, 1, 66, 129, 24, 1, 0, 129, 0}, {1, 1, 1, 13, 300, 8, 1, 9000, 300, 0}, {2, 2, 2, 0, 3, 8, 1, 9, 3, 0},
      {1, 2, 1, 7, 0, 8, 0, 9, 7, 0},       {0, 2, 1, 7, 7, 8, 1, 9, 7, 0},        {1, 3, 3, 9, 9, 0, 1, 9, 9, 0},
      {1, 1, 1, 80, 3, 9, 0, 6554, 80, 0},
  };
  for (int threads = 0; threads < 2; ++threads) {
    if (threads == 1) mainstem_set_parallel_for(reinterpret_cast<void*>(three_threads));
    for (int64_t variant = 0; variant < mainstem_num_variants(); ++variant) {
      const char* name = mainstem_variant_name(variant);
      if (name == nullptr) continue;
      for (const Case& one : cases) {
        check<float>(one, variant, name);
        check<uint16_t>(one, variant, name);
      }
      check_refusals(variant, name);
    }
  }
  std::printf("%d faults\n", faults);
  return faults > 125 ? 125 : faults;
}
