// A text as numbers, and its positions in the order of what precedes them.
#pragma once
#include <cstdint>
#include <cstdlib>

namespace mainstem {

// Memory that may be missing: a library without exceptions must look.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { release(); }
  bool make(int64_t count) {
    release();
    data_ = static_cast<T*>(std::calloc(static_cast<size_t>(count > 0 ? count : 1), sizeof(T)));
    return data_ != nullptr;
  }
  void release() {
    std::free(data_);
    data_ = nullptr;
  }
  T* data() { return data_; }
  const T* data() const { return data_; }
  T& operator[](int64_t i) { return data_[i]; }
  const T& operator[](int64_t i) const { return data_[i]; }

 private:
  T* data_ = nullptr;
};

// What another thread reads and writes meanwhile.
struct Watch {
  int64_t* done;
  const int32_t* stop;
  bool stopped() const { return __atomic_load_n(stop, __ATOMIC_RELAXED) != 0; }
  // `part` of `whole` between two thousandths of all work.
  void tell(int64_t from, int64_t to, int64_t part, int64_t whole) const {
    __atomic_store_n(done, from + (to - from) * part / (whole > 0 ? whole : 1), __ATOMIC_RELAXED);
  }
};

constexpr int64_t kMostTokens = 32;  // of a key: a context and its next

__extension__ typedef unsigned __int128 Key;

struct Text {
  const void* tokens;
  int64_t width, count;
  int64_t bits;    // of a token
  int64_t length;  // tokens in a key

  uint32_t at(int64_t position) const {
    if (position < 0) return 0;
    if (width == 1) return static_cast<const uint8_t*>(tokens)[position];
    if (width == 2) return static_cast<const uint16_t*>(tokens)[position];
    return static_cast<const uint32_t*>(tokens)[position];
  }

  // The last `length` tokens up to `position`, the latest in the highest bits.
  Key key(int64_t position) const {
    Key found = 0;
    for (int64_t back = 0; back < length; ++back) found = found << bits | at(position - back);
    return found << (128 - length * bits);
  }

  // How many of the latest tokens two keys share.
  int64_t shared(Key a, Key b) const {
    const Key other = a ^ b;
    if (other == 0) return length;
    const uint64_t high = static_cast<uint64_t>(other >> 64);
    const int same = high != 0 ? __builtin_clzll(high) : 64 + __builtin_clzll(static_cast<uint64_t>(other));
    const int64_t tokens_shared = same / bits;
    return tokens_shared < length ? tokens_shared : length;
  }
};

// Positions -1 to count - 1 by their keys. In `ranks` they are one higher, so that none is negative.
struct Sorted {
  Buffer<uint32_t> ranks;   // [count + 1]
  Buffer<uint8_t> shared;   // [count + 1], tokens that a rank's key shares with that of the rank before; 0 for the first
};

// 0, kMainstemCountsNoMemory or kMainstemCountsStopped. Tells `watch` of thousandths up to `until`.
int32_t sort_positions(const Text& text, Sorted& sorted, const Watch& watch, int64_t until);

}  // namespace mainstem
