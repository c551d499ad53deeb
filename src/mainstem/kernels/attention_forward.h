// Attention of one block of queries: the softmax goes along the keys, so that no row of weights is ever whole.
// Internal linkage, see keep_lanes.h. Source: Milakov and Gimelshein 2018 (1805.02867), Dao et al. 2022 (2205.14135).
#pragma once
#include <cmath>
#include <limits>

#include "attention_block.h"

namespace mainstem {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

// Turns scores into e^(score - maximum), dropped; `sum` counts the dropped ones too. Returns whether a maximum rose, in
// which case `before` says by how much to multiply what was gathered so far.
template <bool kDrop>
inline bool soften(float* scores, const Block& block, const Decisions& decide, float* maximum, float* sum,
                   float* before) {
  bool rose = false;
  for (int64_t q = 0; q < block.lanes(); q += kWidth) {
    const int64_t end = block.seen(q + kWidth);
    // Up to here all lanes see the key, and need no mask.
    const int64_t clear = block.mixed ? 0 : std::min(end, std::max<int64_t>(0, q + block.shift + 1));
    float* column = scores + q;
    const Float old = load(maximum + q);
    Float high[4] = {old, old, old, old};
    int64_t c = 0;
    for (; c + 4 <= clear; c += 4) {
      for (int i = 0; i < 4; ++i) high[i] = largest(load(column + (c + i) * kBlock), high[i]);
    }
    for (; c < end; ++c) {
      Float score = load(column + c * kBlock);
      if (c >= clear) {
        score = decide.seen(block, c, q) ? score : same(kNever);
        store(column + c * kBlock, score);
      }
      high[0] = largest(score, high[0]);
    }
    const Float top = largest(largest(high[0], high[1]), largest(high[2], high[3]));
    // Where nothing was seen yet; infinity less infinity would be NaN.
    const Float safe = top == kNever ? Float{} : top;
    const Float factor = exponential(old - safe);
    store(maximum + q, top);
    store(before + q, factor);
    const Int changed = (Int)(top != old);
    for (int i = 0; i < kWidth; ++i) rose |= changed[i] != 0;
    Float all = load(sum + q) * factor;
    for (c = 0; c < end; ++c) {
      Float weight = exponential(load(column + c * kBlock) - safe);
      all = all + weight;
      if (kDrop) weight = decide.kept(c, q) ? weight : Float{};
      store(column + c * kBlock, weight);
    }
    for (; c < block.keys; ++c) store(column + c * kBlock, Float{});
    store(sum + q, all);
  }
  return rose;
}

template <class Element>
struct Forward {
  const AttentionWork& work;
  const MainstemAttention& shape = work.shape;
  const int64_t padded = round_up(shape.width, kWidth);
  Arena arena{5 * kBlock * padded + kBlock * kBlock + 3 * kBlock + Decisions::floats()};
  Decisions decide{work, arena};
  float *rows = arena.take(kBlock * padded), *transposed = arena.take(kBlock * padded),
        *keys = arena.take(kBlock * padded), *values = arena.take(kBlock * padded), *out = arena.take(kBlock * padded), *scores = arena.take(kBlock * kBlock),
        *maximum = arena.take(kBlock), *sum = arena.take(kBlock), *before = arena.take(kBlock);

  const Element* at(const void* array, const int64_t* strides, int64_t sample, int64_t head, int64_t position) const {
    return static_cast<const Element*>(array) + sample * strides[0] + head * strides[1] + position * strides[2];
  }

  void block(int64_t sample, int64_t head, int64_t query) {
    const int64_t queries = std::min(kBlock, shape.queries - query), group = head / (shape.heads / shape.groups);
    const int64_t lanes = round_up(queries, kWidth), limit = decide.limit(query, queries);
    gather(rows, at(work.query, shape.query, sample, head, query), shape.query[2], queries, lanes, shape.width, padded,
           work.scale);
    transpose(transposed, rows, lanes, padded);
    std::memset(out, 0, static_cast<size_t>(kBlock * padded) * sizeof(float));
    std::fill(maximum, maximum + kBlock, kNever);
    std::fill(sum, sum + kBlock, 0.0f);
    for (int64_t key = 0; key < limit; key += kBlock) {
      Block own;
      if (decide.block(&own, sample, head, query, key, limit)) {
        const int64_t whole = round_up(own.keys, kRows);
        gather(keys, at(work.key, shape.key, sample, group, key), shape.key[2], own.keys, whole, shape.width, padded,
               1.0f);
        gather(values, at(work.value, shape.value, sample, group, key), shape.value[2], own.keys, own.keys,
               shape.width, padded, 1.0f);
        add(own);
      }
    }
    finish(sample, head, query, queries);
  }

  void add(const Block& own) {
    multiply<false>(keys, padded, transposed, kBlock, scores, kBlock, own.keys, own.lanes(), false,
                    [&](int64_t row) { return own.for_scores(row, shape.width); });
    const bool rose = work.keep == nullptr ? soften<false>(scores, own, decide, maximum, sum, before)
                                           : soften<true>(scores, own, decide, maximum, sum, before);
    if (rose) {
      for (int64_t q = 0; q < own.queries; ++q) {
        float* row = out + q * padded;
        for (int64_t k = 0; k < padded; k += kWidth) store(row + k, load(row + k) * before[q]);
      }
    }
    multiply<true>(scores, kBlock, values, padded, out, padded, own.queries, padded, true,
                   [&](int64_t row) { return own.for_queries(row); });
  }

  void finish(int64_t sample, int64_t head, int64_t query, int64_t queries) {
    float* lse = work.lse + (sample * shape.heads + head) * shape.queries + query;
    Element* to = static_cast<Element*>(work.out) + sample * shape.out[0] + head * shape.out[1] + query * shape.out[2];
    for (int64_t q = 0; q < queries; ++q) {
      // Without keys all is 0; without a finite score it is NaN, as of any softmax.
      lse[q] = shape.keys == 0 ? 0.0f : maximum[q] + std::log(sum[q]);
      const float factor = shape.keys == 0 ? 0.0f : work.kept_scale / sum[q];
      scatter(to + q * shape.out[2], 0, out + q * padded, padded, 1, shape.width, factor);
    }
  }

  static void run(const AttentionWork& work, int64_t begin, int64_t end) {
    Forward self{work};
    if (self.arena.empty()) return work.no_memory->store(true);
    const int64_t blocks = work.query_blocks();
    for (int64_t item = begin; item < end; ++item) {
      // The last blocks see the most keys: first and last take turns, so that any half of a head is half of its work.
      const int64_t turn = item % blocks, row = item / blocks;
      const int64_t number = turn % 2 == 0 ? turn / 2 : blocks - 1 - turn / 2;
      self.block(row / work.shape.heads, row % work.shape.heads, number * kBlock);
    }
  }
};

}  // namespace
}  // namespace mainstem
