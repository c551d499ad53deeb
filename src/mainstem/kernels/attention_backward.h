// The gradients of a group of heads, which share keys and values. Internal linkage, see keep_lanes.h.
//
// With w the softmax, drawn again from the scores and the saved sum, m the kept scale (0 where dropped) and
// D = sum_c m w dw = dout . out: dvalue = (m w)^T dout, dw = m dout value^T, dscore = w (dw - D),
// dquery = scale dscore key, dkey = scale dscore^T query.
#pragma once
#include "attention_block.h"

namespace mainstem {
namespace {

template <class Element>
struct Backward {
  const AttentionWork& work;
  const MainstemAttention& shape = work.shape;
  const int64_t padded = round_up(shape.width, kWidth), whole = round_up(shape.keys, kBlock);
  Arena arena{(7 * kBlock + 2 * whole) * padded + 2 * kBlock * kBlock + 2 * kBlock + Decisions::floats()};
  Decisions decide{work, arena};
  float *rows = arena.take(kBlock * padded), *transposed = arena.take(kBlock * padded),
        *upstream = arena.take(kBlock * padded), *upstream_transposed = arena.take(kBlock * padded), *keys = arena.take(kBlock * padded),
        *values = arena.take(kBlock * padded), *dquery = arena.take(kBlock * padded), *dkey = arena.take(whole * padded),
        *dvalue = arena.take(whole * padded), *scores = arena.take(kBlock * kBlock), *dscores = arena.take(kBlock * kBlock),
        *lse = arena.take(kBlock), *inner = arena.take(kBlock);

  const Element* at(const void* array, const int64_t* strides, int64_t sample, int64_t head, int64_t position) const {
    return static_cast<const Element*>(array) + sample * strides[0] + head * strides[1] + position * strides[2];
  }
  Element* at(void* array, const int64_t* strides, int64_t sample, int64_t head) const {
    return static_cast<Element*>(array) + sample * strides[0] + head * strides[1];
  }

  void group(int64_t sample, int64_t number) {
    const int64_t share = shape.heads / shape.groups;
    std::memset(dkey, 0, static_cast<size_t>(whole * padded) * sizeof(float));
    std::memset(dvalue, 0, static_cast<size_t>(whole * padded) * sizeof(float));
    for (int64_t head = number * share; head < (number + 1) * share; ++head) {
      for (int64_t query = 0; query < shape.queries; query += kBlock) block(sample, head, number, query);
    }
    scatter(at(work.dkey, shape.dkey, sample, number), shape.dkey[2], dkey, padded, shape.keys, shape.width, 1.0f);
    scatter(at(work.dvalue, shape.dvalue, sample, number), shape.dvalue[2], dvalue, padded, shape.keys, shape.width,
            1.0f);
  }

  void block(int64_t sample, int64_t head, int64_t group, int64_t query) {
    const int64_t queries = std::min(kBlock, shape.queries - query), limit = decide.limit(query, queries);
    prepare(sample, head, query, queries);
    for (int64_t key = 0; key < limit; key += kBlock) {
      Block own;
      if (decide.block(&own, sample, head, query, key, limit)) {
        const int64_t lines = round_up(own.keys, kRows);
        gather(keys, at(work.key, shape.key, sample, group, key), shape.key[2], own.keys, lines, shape.width, padded,
               1.0f);
        gather(values, at(work.value, shape.value, sample, group, key), shape.value[2], own.keys, lines, shape.width,
               padded, 1.0f);
        add(own);
      }
    }
    scatter(at(work.dquery, shape.dquery, sample, head) + query * shape.dquery[2], shape.dquery[2], dquery, padded,
            queries, shape.width, work.scale);
  }

  void prepare(int64_t sample, int64_t head, int64_t query, int64_t queries) {
    const int64_t lanes = round_up(queries, kWidth);
    const Element* dout = at(work.dout, shape.dout, sample, head, query);
    gather(rows, at(work.query, shape.query, sample, head, query), shape.query[2], queries, lanes, shape.width, padded,
           work.scale);
    gather(upstream, dout, shape.dout[2], queries, lanes, shape.width, padded, 1.0f);
    gather(dquery, at(work.out, shape.out, sample, head, query), shape.out[2], queries, lanes, shape.width, padded,
           1.0f);
    for (int64_t q = 0; q < lanes; ++q) {
      Float all{};
      for (int64_t k = 0; k < padded; k += kWidth) {
        const Float own = load(upstream + q * padded + k);
        all = fused(own, load(dquery + q * padded + k), all);
        store(upstream + q * padded + k, own * work.kept_scale);
      }
      inner[q] = total(all);
    }
    transpose(transposed, rows, lanes, padded);
    transpose(upstream_transposed, upstream, lanes, padded);
    const float* from = work.lse + (sample * shape.heads + head) * shape.queries + query;
    for (int64_t q = 0; q < lanes; ++q) lse[q] = q < queries ? from[q] : 0.0f;
    std::memset(dquery, 0, static_cast<size_t>(kBlock * padded) * sizeof(float));
  }

  void add(const Block& own) {
    const auto for_scores = [&](int64_t row) { return own.for_scores(row, shape.width); };
    const auto for_queries = [&](int64_t row) { return own.for_queries(row); };
    const auto for_keys = [&](int64_t row) { return own.for_keys(row); };
    multiply<false>(keys, padded, transposed, kBlock, scores, kBlock, own.keys, own.lanes(), false, for_scores);
    multiply<false>(values, padded, upstream_transposed, kBlock, dscores, kBlock, own.keys, own.lanes(), false, for_scores);
    work.keep == nullptr ? differentiate<false>(own) : differentiate<true>(own);
    multiply<false>(scores, kBlock, upstream, padded, dvalue + own.key * padded, padded, own.keys, padded, true,
                    for_keys);
    multiply<false>(dscores, kBlock, rows, padded, dkey + own.key * padded, padded, own.keys, padded, true, for_keys);
    multiply<true>(dscores, kBlock, keys, padded, dquery, padded, own.queries, padded, true, for_queries);
  }

  // Turns scores into weights, dropped, and the gradients of these into gradients of the scores.
  template <bool kDrop>
  void differentiate(const Block& own) {
    for (int64_t q = 0; q < own.lanes(); q += kWidth) {
      const int64_t end = own.seen(q + kWidth);
      const int64_t clear = own.mixed ? 0 : std::min(end, std::max<int64_t>(0, q + own.shift + 1));
      const Float sums = load(lse + q), products = load(inner + q);
      for (int64_t c = 0; c < end; ++c) {
        const int64_t here = c * kBlock + q;
        Float weight = exponential(load(scores + here) - sums), slope = load(dscores + here);
        const Int seen = c < clear ? Int{} - 1 : decide.seen(own, c, q);
        if (c >= clear) weight = seen ? weight : Float{};
        Float dropped = weight;
        if (kDrop) {
          const Int kept = decide.kept(c, q);
          dropped = kept ? dropped : Float{};
          slope = kept ? slope : Float{};
        }
        slope = weight * (slope - products);
        // A hidden key's own infinity must not come back as 0 times infinity.
        if (c >= clear) slope = seen ? slope : Float{};
        store(scores + here, dropped);
        store(dscores + here, slope);
      }
      for (int64_t c = end; c < own.keys; ++c) {
        store(scores + c * kBlock + q, Float{});
        store(dscores + c * kBlock + q, Float{});
      }
    }
  }

  static void run(const AttentionWork& work, int64_t begin, int64_t end) {
    Backward self{work};
    if (self.arena.empty()) return work.no_memory->store(true);
    for (int64_t item = begin; item < end; ++item) self.group(item / work.shape.groups, item % work.shape.groups);
  }
};

}  // namespace
}  // namespace mainstem
