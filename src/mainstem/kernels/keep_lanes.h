// Philox-4x32-10 over lanes of 64 bits, one call a lane, written once for all instruction sets.
//
// Included by one keep_*.cpp per instruction set, each compiled with its own flags: everything here has internal
// linkage, or the linker might keep the copy with instructions that this processor lacks.
//
// A lane set L has: V, a vector of 64-bit lanes; kCalls, how many; and, on vectors, same(word), counters(first),
// multiply (of the low halves, to 64 bits), high (halves), exclusive_or of three, and store, which turns the four
// words of each lane into its keep byte. High halves of lanes may hold anything: only `high` and `store` look.
#pragma once
#include <cstdint>
#include <cstring>

#include "draw.h"

namespace mainstem {
namespace {

template <class L, int N>
inline void keep_block(uint8_t* out, uint32_t first, const Draw& draw) {
  using V = typename L::V;
  V c0[N], c1[N], c2[N], c3[N];
  for (int i = 0; i < N; ++i) {
    c0[i] = L::counters(first + static_cast<uint32_t>(i * L::kCalls));
    c1[i] = L::same(draw.sample);
    c2[i] = L::same(draw.pass);
    c3[i] = L::same(draw.site);
  }
  const V round_a = L::same(kRoundA), round_b = L::same(kRoundB);
  uint32_t key0 = draw.key0, key1 = draw.key1;
  for (int round = 0; round < kRounds; ++round) {
    const V k0 = L::same(key0), k1 = L::same(key1);
    for (int i = 0; i < N; ++i) {
      const V a = L::multiply(c0[i], round_a), b = L::multiply(c2[i], round_b);
      c0[i] = L::exclusive_or(L::high(b), c1[i], k0);
      c1[i] = b;
      c2[i] = L::exclusive_or(L::high(a), c3[i], k1);
      c3[i] = a;
    }
    key0 += kWeylA;
    key1 += kWeylB;
  }
  for (int i = 0; i < N; ++i) L::store(out + i * L::kCalls, c0[i], c1[i], c2[i], c3[i], draw.threshold);
}

// N vectors in flight hide the latency of the product.
template <class L, int N>
void keep(uint8_t* out, uint32_t first, int64_t count, const Draw& draw) {
  constexpr int64_t wide = N * L::kCalls;
  for (; count >= wide; count -= wide, out += wide, first += wide) keep_block<L, N>(out, first, draw);
  for (; count > 0; count -= L::kCalls, out += L::kCalls, first += L::kCalls) {
    uint8_t block[L::kCalls];
    keep_block<L, 1>(block, first, draw);
    std::memcpy(out, block, count < L::kCalls ? static_cast<size_t>(count) : static_cast<size_t>(L::kCalls));
  }
}

}  // namespace
}  // namespace mainstem
