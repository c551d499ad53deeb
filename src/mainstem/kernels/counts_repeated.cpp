// Windows of one text that stand in another one too: a table of the hashes of the first, and a hash that rolls over both.
#include <cstring>

#include "counts_api.h"
#include "counts_text.h"

namespace mainstem {
namespace {

constexpr uint64_t kBase = 0x9E3779B97F4A7C15u;
constexpr int64_t kRound = 1 << 16;  // positions between two looks at `stop`

class Table {
 public:
  explicit Table(const MainstemRepeated& texts) : texts_(texts), windows_(texts.held_count - texts.window + 1) {}

  int32_t run() {
    const MainstemRepeated& t = texts_;
    if (windows_ <= 0 || t.train_count < t.window) return kMainstemOk;
    while (int64_t{1} << bits_ < 2 * windows_) ++bits_;
    if (!slots_.make(int64_t{1} << bits_) || !first_.make(windows_) || !found_.make(windows_)) return kMainstemCountsNoMemory;
    const int32_t filled = roll(t.held, t.held_count, [&](int64_t i, uint64_t hash) {
      uint32_t* const slot = find(t.held, i, hash);
      if (*slot == 0) *slot = static_cast<uint32_t>(i + 1);
      first_[i] = *slot - 1;
    });
    if (filled != kMainstemOk) return filled;
    const int32_t asked = roll(t.train, t.train_count, [&](int64_t i, uint64_t hash) {
      const uint32_t slot = *find(t.train, i, hash);
      if (slot != 0) found_[slot - 1] = 1;
    });
    if (asked != kMainstemOk) return asked;
    int64_t marked = 0;  // positions below it have their mark
    for (int64_t i = 0; i < windows_; ++i) {
      if (!found_[first_[i]]) continue;
      for (marked = marked > i ? marked : i; marked < i + t.window; ++marked) t.seen[marked] = 1;
    }
    return kMainstemOk;
  }

 private:
  // Calls visit(start, hash) for each window.
  template <class Visit>
  int32_t roll(const void* tokens, int64_t count, const Visit& visit) {
    const Text text = {tokens, texts_.width, count, 32, 1};
    uint64_t hash = 0, leaving = 1;
    for (int64_t i = 0; i < texts_.window; ++i) leaving *= kBase;
    for (int64_t i = 0; i < count; ++i) {
      if (i % kRound == 0 && __atomic_load_n(texts_.stop, __ATOMIC_RELAXED) != 0) return kMainstemCountsStopped;
      hash = hash * kBase + text.at(i) + 1;
      if (i >= texts_.window) hash -= leaving * (uint64_t{text.at(i - texts_.window)} + 1);
      if (i >= texts_.window - 1) visit(i - texts_.window + 1, hash);
    }
    return kMainstemOk;
  }

  // The slot of the window at `start` of `tokens`: 0 where it is none of the first text's so far, else one more than its start.
  uint32_t* find(const void* tokens, int64_t start, uint64_t hash) {
    const char* const wanted = static_cast<const char*>(tokens) + start * texts_.width;
    const char* const held = static_cast<const char*>(texts_.held);
    const uint64_t mask = (uint64_t{1} << bits_) - 1;
    for (uint64_t at = (hash ^ hash >> 32) * kBase >> (64 - bits_);; at = (at + 1) & mask) {
      uint32_t* const slot = &slots_[static_cast<int64_t>(at)];
      if (*slot == 0) return slot;
      if (std::memcmp(held + int64_t{*slot - 1} * texts_.width, wanted, static_cast<size_t>(texts_.window * texts_.width)) == 0) return slot;
    }
  }

  const MainstemRepeated& texts_;
  const int64_t windows_;
  int bits_ = 1;
  Buffer<uint32_t> slots_, first_;
  Buffer<uint8_t> found_;
};

}  // namespace
}  // namespace mainstem

int32_t mainstem_repeated(const MainstemRepeated* texts) {
  const MainstemRepeated& t = *texts;
  const bool width = t.width == 1 || t.width == 2 || t.width == 4;
  if (!width || t.window < 1 || t.held_count < 0 || t.held_count >= (int64_t{1} << 31) || t.train_count < 0) return kMainstemCountsBadShape;
  return mainstem::Table(t).run();
}
