// From what an op is given to a draw: what is refused, and the keys of all rounds.
#include "draw.h"

#include "api.h"

namespace mainstem {

int32_t refused(const Asked& asked) {
  if (*asked.threshold < 0 || *asked.threshold > 65536) return kMainstemBadThreshold;
  const int64_t *key = asked.key, *samples = asked.samples;
  if (key[1] < 0 || key[1] >> 28 != 0 || key[2] < 0 || key[2] >> 4 != 0) return kMainstemBadPass;
  for (int64_t i = 0; i < asked.count; ++i) {
    if (samples[i] < 0 || samples[i] >> 32 != 0) return kMainstemBadSample;
  }
  return kMainstemOk;
}

Draw drawn(const Asked& asked) {
  Draw d{};
  uint32_t key0 = static_cast<uint32_t>(asked.key[0]);
  uint32_t key1 = static_cast<uint32_t>(static_cast<uint64_t>(asked.key[0]) >> 32);
  for (int round = 0; round < kRounds; ++round, key0 += kWeylA, key1 += kWeylB) {
    d.key0[round] = key0;
    d.key1[round] = key1;
  }
  d.pass = static_cast<uint32_t>(asked.key[2] << 28 | asked.key[1]);
  d.site = static_cast<uint32_t>(asked.site);
  d.threshold = static_cast<uint16_t>(*asked.threshold);
  return d;
}

float kept_scale(int64_t threshold) {
  return threshold == 65536 ? 0.0f : 65536.0f / static_cast<float>(65536 - threshold);
}

}  // namespace mainstem
