// The instructions that every processor of the kind has: SSE2, and NEON on 64-bit ARM.
#include "mix_lanes.h"

namespace mainstem {
const Mix kMixBaseline = kMix;
}
