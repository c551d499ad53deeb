// What a keep decision is a function of, besides its position: Philox-4x32-10's key and three of its counter's words.
// May include nothing of the project. Every other file here builds on this one.
#pragma once
#include <cstdint>

namespace mainstem {

constexpr uint32_t kRoundA = 0xD2511F53u, kRoundB = 0xCD9E8D57u;
constexpr uint32_t kWeylA = 0x9E3779B9u, kWeylB = 0xBB67AE85u;
constexpr int kRounds = 10;
constexpr int64_t kCounter = int64_t{1} << 32;  // positions of a sample that counter word 0 tells apart

struct Draw {
  uint32_t key0[kRounds], key1[kRounds];  // the seed, low and high word, as each round takes it
  uint32_t sample;                        // counter word 1
  uint32_t pass;                          // counter word 2: view << 28 | step
  uint32_t site;                          // counter word 3
  uint16_t threshold;                     // a 16-bit half below it is dropped
};

// What an op is given, see api.h: `threshold` of [0, 65536], `key` [3] of seed, step and view, `samples` [count].
struct Asked {
  const int64_t *threshold, *key, *samples;
  int64_t count, site;
};

// The status of what may not be asked for (kMainstemOk for all else).
int32_t refused(const Asked& asked);

// All but the sample, which each row has its own of. A threshold of 65536, which drops all, is no draw.
Draw drawn(const Asked& asked);

// What a kept element is multiplied by: 1 / (1 - rate), of the rate that 16 bits really have, and 0 if all is dropped.
float kept_scale(int64_t threshold);

}  // namespace mainstem
