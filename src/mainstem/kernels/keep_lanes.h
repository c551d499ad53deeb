// Philox-4x32-10 over lanes of 64 bits, one call a lane, written once for all instruction sets.
//
// Included by one keep_*.cpp per instruction set, each compiled with its own flags: everything here has internal
// linkage, or the linker might keep the copy with instructions that this processor lacks.
//
// A lane set L has: V, a vector of 64-bit lanes; kCalls, how many; and, on vectors, same(word), counters(first), add,
// multiply (of the low halves, to 64 bits), high (halves), exclusive_or of two and of three, and store, which turns the
// four words of each lane into its keep byte. High halves of lanes may hold anything: only `high` and `store` look.
#pragma once
#include <cstdint>
#include <cstring>

#include "draw.h"

namespace mainstem {
namespace {

// What all calls of a row have in common: only counter word 0 differs between them, so that of the first two rounds'
// four products two are the same for all, and so is a word that goes into the third.
template <class L>
struct Rounds {
  using V = typename L::V;
  V by_a = L::same(kRoundA), by_b = L::same(kRoundB);
  V key0[kRounds], key1[kRounds];  // from the third round on
  V first, second0, second2;       // what words 2 of the first round, 0 and 2 of the second are mixed with

  explicit Rounds(const Draw& draw) {
    const uint64_t b = uint64_t{draw.pass} * kRoundB;
    const uint32_t word0 = static_cast<uint32_t>(b >> 32) ^ draw.sample ^ draw.key0[0];
    const uint64_t a = uint64_t{word0} * kRoundA;
    first = L::same(draw.site ^ draw.key1[0]);
    second0 = L::same(static_cast<uint32_t>(b) ^ draw.key0[1]);
    second2 = L::same(static_cast<uint32_t>(a >> 32) ^ draw.key1[1]);
    for (int round = 2; round < kRounds; ++round) key0[round] = L::same(draw.key0[round]);
    for (int round = 3; round < kRounds; ++round) key1[round] = L::same(draw.key1[round]);
    key1[2] = L::same(static_cast<uint32_t>(a) ^ draw.key1[2]);
  }
};

// A round of Philox; a lane set may have one of its own, as a specialisation.
template <class L, class V = typename L::V>
inline void philox_round(V& c0, V& c1, V& c2, V& c3, const V& by_a, const V& by_b, const V& key0, const V& key1) {
  const V a = L::multiply(c0, by_a), b = L::multiply(c2, by_b);
  c0 = L::exclusive_or(L::high(b), c1, key0);
  c1 = b;
  c2 = L::exclusive_or(L::high(a), c3, key1);
  c3 = a;
}

template <class L, int N>
inline void keep_block(uint8_t* out, typename L::V* counter, const Rounds<L>& rounds, uint16_t threshold) {
  using V = typename L::V;
  V c0[N], c1[N], c2[N], c3[N];
  for (int i = 0; i < N; ++i) {
    const V a = L::multiply(*counter, rounds.by_a);
    *counter = L::add(*counter, L::same(L::kCalls));
    const V b = L::multiply(L::exclusive_or(L::high(a), rounds.first), rounds.by_b);
    c0[i] = L::exclusive_or(L::high(b), rounds.second0);
    c1[i] = b;
    c2[i] = L::exclusive_or(a, rounds.second2);
  }
  for (int i = 0; i < N; ++i) {
    const V a = L::multiply(c0[i], rounds.by_a), b = L::multiply(c2[i], rounds.by_b);
    c0[i] = L::exclusive_or(L::high(b), c1[i], rounds.key0[2]);
    c1[i] = b;
    c2[i] = L::exclusive_or(L::high(a), rounds.key1[2]);
    c3[i] = a;
  }
#pragma GCC unroll 8
  for (int round = 3; round < kRounds; ++round) {
    for (int i = 0; i < N; ++i) {
      philox_round<L>(c0[i], c1[i], c2[i], c3[i], rounds.by_a, rounds.by_b, rounds.key0[round], rounds.key1[round]);
    }
  }
  for (int i = 0; i < N; ++i) L::store(out + i * L::kCalls, c0[i], c1[i], c2[i], c3[i], threshold);
}

// Whole blocks of N vectors, then of fewer, and what is left of one.
template <class L, int N>
inline void keep_blocks(uint8_t* out, typename L::V* counter, int64_t count, const Rounds<L>& rounds, uint16_t limit) {
  constexpr int64_t wide = N * L::kCalls;
  for (; count >= wide; count -= wide, out += wide) keep_block<L, N>(out, counter, rounds, limit);
  if constexpr (N > 1) {
    keep_blocks<L, (N > 2 ? 2 : 1)>(out, counter, count, rounds, limit);
  } else if (count > 0) {
    uint8_t block[L::kCalls];
    keep_block<L, 1>(block, counter, rounds, limit);
    std::memcpy(out, block, static_cast<size_t>(count));
  }
}

// N vectors in flight hide the latency of the product.
template <class L, int N>
void keep(uint8_t* out, uint32_t first, int64_t count, const Draw& draw) {
  const Rounds<L> rounds(draw);
  typename L::V counter = L::counters(first);
  keep_blocks<L, N>(out, &counter, count, rounds, draw.threshold);
}

}  // namespace
}  // namespace mainstem
