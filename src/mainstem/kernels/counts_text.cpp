// Positions in the order of what precedes them: a radix sort by 16 bits at a time, until few are left to compare.
#include "counts_text.h"

#include <algorithm>

#include "counts_api.h"

namespace mainstem {
namespace {

constexpr int64_t kFew = 1 << 15, kBuckets = 1 << 16;
constexpr int64_t kRound = 1 << 16;  // positions between two looks at whether to stop

struct Entry {
  uint64_t high, low;
  uint32_t rank;
  bool operator<(const Entry& other) const { return high != other.high ? high < other.high : low < other.low; }
  Key key() const { return static_cast<Key>(high) << 64 | low; }
};

class Sorter {
 public:
  Sorter(const Text& text, Sorted& sorted, const Watch& watch, int64_t until)
      : text_(text), sorted_(sorted), watch_(watch), until_(until), total_(text.count + 1) {}

  int32_t run() {
    if (!sorted_.ranks.make(total_) || !sorted_.shared.make(total_) || !few_.make(kFew)) return kMainstemCountsNoMemory;
    for (int64_t i = 0; i < total_; ++i) sorted_.ranks[i] = static_cast<uint32_t>(i);
    return sort(0, total_, 0);
  }

 private:
  // Of ranks [from, to), whose keys agree in their first `known` bits.
  int32_t sort(int64_t from, int64_t to, int64_t known) {
    if (watch_.stopped()) return kMainstemCountsStopped;
    if (to - from <= kFew) {
      compare(from, to);
    } else if (known >= 128) {
      const Key key = text_.key(static_cast<int64_t>(sorted_.ranks[from]) - 1);
      for (int64_t i = from; i < to; ++i) place(i, key);
    } else {
      return spread(from, to, known);
    }
    watch_.tell(0, until_, to, total_);
    return kMainstemOk;
  }

  int32_t spread(int64_t from, int64_t to, int64_t known) {
    Buffer<int64_t> starts;
    Buffer<uint32_t> moved;
    if (!starts.make(kBuckets + 1) || !moved.make(to - from)) return kMainstemCountsNoMemory;
    const auto bucket = [&](int64_t i) {
      return static_cast<int64_t>(text_.key(static_cast<int64_t>(sorted_.ranks[i]) - 1) << known >> 112);
    };
    for (int64_t i = from; i < to; ++i) {
      if (i % kRound == 0 && watch_.stopped()) return kMainstemCountsStopped;
      ++starts[bucket(i) + 1];
    }
    for (int64_t i = 0; i < kBuckets; ++i) starts[i + 1] += starts[i];
    for (int64_t i = from; i < to; ++i) {
      if (i % kRound == 0 && watch_.stopped()) return kMainstemCountsStopped;
      moved[starts[bucket(i)]++] = sorted_.ranks[i];
    }
    std::copy(moved.data(), moved.data() + (to - from), sorted_.ranks.data() + from);
    moved.release();
    int64_t begin = 0;  // starts[b] is by now where bucket b ends
    for (int64_t b = 0; b < kBuckets; ++b) {
      const int64_t end = starts[b];
      if (end > begin) {
        if (const int32_t status = sort(from + begin, from + end, known + 16)) return status;
      }
      begin = end;
    }
    return kMainstemOk;
  }

  void compare(int64_t from, int64_t to) {
    Entry* const entries = few_.data();
    for (int64_t i = from; i < to; ++i) {
      const uint32_t rank = sorted_.ranks[i];
      const Key key = text_.key(static_cast<int64_t>(rank) - 1);
      entries[i - from] = {static_cast<uint64_t>(key >> 64), static_cast<uint64_t>(key), rank};
    }
    std::sort(entries, entries + (to - from));
    for (int64_t i = from; i < to; ++i) {
      sorted_.ranks[i] = entries[i - from].rank;
      place(i, entries[i - from].key());
    }
  }

  // Ranks come here in their order.
  void place(int64_t rank, Key key) {
    sorted_.shared[rank] = rank == 0 ? 0 : static_cast<uint8_t>(text_.shared(last_, key));
    last_ = key;
  }

  const Text& text_;
  Sorted& sorted_;
  const Watch& watch_;
  const int64_t until_, total_;
  Buffer<Entry> few_;
  Key last_ = 0;
};

}  // namespace

int32_t sort_positions(const Text& text, Sorted& sorted, const Watch& watch, int64_t until) {
  return Sorter(text, sorted, watch, until).run();
}

}  // namespace mainstem
