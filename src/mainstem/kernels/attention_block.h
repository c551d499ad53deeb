// What forward and backward share: a block of queries against a block of keys, its mask and its keep decisions.
// Internal linkage, see keep_lanes.h.
//
// Scores, weights and their gradients lie as [key, query], so that what is known of a query (maximum, sum) is a vector
// and nothing is added across one, and neither keys nor values are ever transposed.
#pragma once
#include <algorithm>
#include <cstdlib>

#include "attention.h"
#include "attention_product.h"

namespace mainstem {
namespace {

constexpr int64_t kSpan = 4 * kBlock;  // keys whose decisions are drawn together: what keeps Philox's lanes full

inline int64_t round_up(int64_t count, int64_t unit) { return (count + unit - 1) / unit * unit; }

// Scratch memory of one stretch of work.
class Arena {
 public:
  explicit Arena(int64_t floats) : memory_(nullptr), next_(nullptr) {
    void* found = nullptr;
    if (posix_memalign(&found, 64, static_cast<size_t>(floats) * sizeof(float)) == 0) memory_ = found;
    next_ = static_cast<float*>(memory_);
  }
  ~Arena() { std::free(memory_); }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  bool empty() const { return memory_ == nullptr; }
  float* take(int64_t floats) {
    float* found = next_;
    next_ += round_up(floats, 16);
    return found;
  }

 private:
  void* memory_;
  float* next_;
};

// Queries [query, query + queries) of a head against keys [key, key + keys). Key c of the block is seen by query q of
// it where c <= q + shift, and where same[c][q] is set if `mixed`.
struct Block {
  int64_t query, queries, key, keys, shift;
  bool mixed;

  int64_t lanes() const { return round_up(queries, kWidth); }
  // The first whole vector of queries of which one may see key c.
  int64_t first_lane(int64_t c) const { return std::min(std::max<int64_t>(0, c - shift) / kWidth * kWidth, kBlock); }
  // How many keys the queries up to q, excluded, may see.
  int64_t seen(int64_t q) const { return std::min(keys, std::max<int64_t>(0, q + shift)); }

  Need for_scores(int64_t row, int64_t width) const { return {first_lane(row), 0, width}; }
  Need for_queries(int64_t row) const { return {0, 0, seen(row + kRows)}; }
  Need for_keys(int64_t row) const {
    const int64_t end = queries;
    return {0, std::min(std::max<int64_t>(0, row - shift), end), end};
  }
};

// One row of `width` elements, times `factor`; four vectors at a time, as rows are short and a loop costs as much as
// what it moves. Returns how far it came: what is left is less than a vector.
template <class To, class From>
inline int64_t move(To* to, const From* from, int64_t width, float factor) {
  const Float by = same(factor);
  int64_t k = 0;
  for (; k + 4 * kWidth <= width; k += 4 * kWidth) {
    Float part[4];
    for (int i = 0; i < 4; ++i) part[i] = load(from + k + i * kWidth) * by;
    for (int i = 0; i < 4; ++i) store(to + k + i * kWidth, part[i]);
  }
  for (; k + kWidth <= width; k += kWidth) store(to + k, load(from + k) * by);
  return k;
}

// Rows of `width` elements as floats times `factor`, `padded` apart, and 0 beyond the width and up to `whole` rows.
template <class Element>
inline void gather(float* to, const Element* from, int64_t stride, int64_t rows, int64_t whole, int64_t width,
                   int64_t padded, float factor) {
  for (int64_t row = 0; row < rows; ++row, to += padded, from += stride) {
    int64_t k = move(to, from, width, factor);
    for (; k < width; ++k) to[k] = one(from + k) * factor;
    for (; k < padded; ++k) to[k] = 0;
  }
  if (rows < whole) std::memset(to, 0, static_cast<size_t>((whole - rows) * padded) * sizeof(float));
}

template <class Element>
inline void scatter(Element* to, int64_t stride, const float* from, int64_t padded, int64_t rows, int64_t width,
                    float factor) {
  for (int64_t row = 0; row < rows; ++row, to += stride, from += padded) {
    int64_t k = move(to, from, width, factor);
    for (; k < width; ++k) one(to + k, from[k] * factor);
  }
}

// [rows, padded] to [padded, kBlock]; rows are a multiple of kWidth, as is `padded`.
inline void transpose(float* to, const float* from, int64_t rows, int64_t padded) {
  for (int64_t row = 0; row < rows; row += kWidth) {
    for (int64_t k = 0; k < padded; k += kWidth) {
      Float square[kWidth];
#pragma GCC unroll 16
      for (int i = 0; i < kWidth; ++i) square[i] = load(from + (row + i) * padded + k);
      transpose_square(square);
#pragma GCC unroll 16
      for (int i = 0; i < kWidth; ++i) store(to + (k + i) * kBlock + row, square[i]);
    }
  }
}

// The mask and the keep decisions of a head's blocks, for one block of queries after the other.
class Decisions {
 public:
  Decisions(const AttentionWork& work, Arena& arena) : work_(work) {
    bits_ = reinterpret_cast<uint8_t*>(arena.take(kBlock * kSpan / 32));
    words_ = reinterpret_cast<int32_t*>(arena.take(2 * kBlock));
    same_ = reinterpret_cast<int32_t*>(arena.take(kBlock * kBlock));
  }
  static int64_t floats() { return kBlock * kSpan / 32 + 2 * kBlock + kBlock * kBlock; }

  // The keys that a block of queries can see at all: [0, limit).
  int64_t limit(int64_t query, int64_t queries) const {
    const MainstemAttention& s = work_.shape;
    return s.causal ? std::min(s.keys, s.keys - s.queries + query + queries) : s.keys;
  }

  // Sets up a block; false where no query sees any key.
  bool block(Block* block, int64_t sample, int64_t head, int64_t query, int64_t key, int64_t limit) {
    const MainstemAttention& s = work_.shape;
    block->query = query;
    block->queries = std::min(kBlock, s.queries - query);
    block->key = key;
    block->keys = std::min(kBlock, limit - key);
    block->shift = s.causal ? s.keys - s.queries + query - key : kBlock;
    block->mixed = false;
    if (work_.documents != nullptr && !documents(block, work_.documents + sample * s.keys)) return false;
    if (work_.keep != nullptr) draw(*block, sample, head, limit);
    return true;
  }

  // Lanes from q on that see key c.
  Int seen(const Block& block, int64_t c, int64_t q) const {
    Int visible = mainstem::lanes() + static_cast<int32_t>(q + block.shift) >= static_cast<int32_t>(c);
    if (block.mixed) visible &= load(same_ + c * kBlock + q);
    return visible;
  }
  // Lanes from q on whose weight of key c is kept.
  Int kept(int64_t c, int64_t q) const {
    const Word word = (Word)load(words_ + c / 32 * kBlock + q);
    return (word & (1u << (c % 32))) != 0u;
  }

 private:
  bool documents(Block* block, const int64_t* all) {
    const int64_t *own = all + block->query, *other = all + block->key;
    int64_t low[2] = {own[0], other[0]}, high[2] = {own[0], other[0]};
    for (int64_t i = 0; i < block->queries; ++i) low[0] = std::min(low[0], own[i]), high[0] = std::max(high[0], own[i]);
    for (int64_t i = 0; i < block->keys; ++i) {
      low[1] = std::min(low[1], other[i]), high[1] = std::max(high[1], other[i]);
    }
    if (high[0] < low[1] || high[1] < low[0]) return false;
    block->mixed = low[0] != high[0] || low[1] != high[1];
    if (!block->mixed) return true;
    for (int64_t c = 0; c < block->keys; ++c) {
      for (int64_t q = 0; q < block->queries; ++q) same_[c * kBlock + q] = -static_cast<int32_t>(own[q] == other[c]);
      for (int64_t q = block->queries; q < block->lanes(); ++q) same_[c * kBlock + q] = 0;
    }
    return true;
  }

  void draw(const Block& block, int64_t sample, int64_t head, int64_t limit) {
    const int64_t begin = block.key / kSpan * kSpan;
    const int64_t calls = round_up(std::min(limit - begin, kSpan), kBlock) / 8;
    if (block.key == begin || begin != begin_ || block.query != query_ || head != head_ || sample != sample_) {
      begin_ = begin, query_ = block.query, head_ = head, sample_ = sample;
      Draw own = work_.draw;
      own.sample = static_cast<uint32_t>(work_.samples[sample]);
      const int64_t stride = (work_.shape.context + 7) / 8;
      const int64_t first = (head * work_.shape.context + block.query) * stride + begin / 8;
      if (work_.all_dropped) {
        std::memset(bits_, 0, static_cast<size_t>(calls * block.queries));
      } else if (calls == stride) {
        work_.keep(bits_, static_cast<uint32_t>(first), calls * block.queries, own);
      } else {
        for (int64_t q = 0; q < block.queries; ++q) {
          work_.keep(bits_ + q * calls, static_cast<uint32_t>(first + q * stride), calls, own);
        }
      }
    }
    const uint8_t* from = bits_ + (block.key - begin) / 8;
    for (int64_t q = 0; q < block.queries; ++q, from += calls) {
      std::memcpy(words_ + q, from, 4);
      std::memcpy(words_ + kBlock + q, from + 4, 4);
    }
    for (int64_t q = block.queries; q < block.lanes(); ++q) words_[q] = words_[kBlock + q] = 0;
  }

  const AttentionWork& work_;
  uint8_t* bits_;
  int32_t *words_, *same_;
  int64_t begin_ = -1, query_ = -1, head_ = -1, sample_ = -1;
};

}  // namespace
}  // namespace mainstem
