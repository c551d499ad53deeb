// What a keep decision is a function of, besides its position: Philox-4x32-10's key and three of its counter's words.
// May include nothing of the project. Every other file here builds on this one.
#pragma once
#include <cstdint>

namespace mainstem {

struct Draw {
  uint32_t key0, key1;      // the seed, low and high word
  uint32_t sample;          // counter word 1
  uint32_t pass;            // counter word 2: view << 28 | step
  uint32_t site;            // counter word 3
  uint16_t threshold;       // a 16-bit half below it is dropped
};

constexpr uint32_t kRoundA = 0xD2511F53u, kRoundB = 0xCD9E8D57u;
constexpr uint32_t kWeylA = 0x9E3779B9u, kWeylB = 0xBB67AE85u;
constexpr int kRounds = 10;

}  // namespace mainstem
