// The instructions that every processor of the kind has: SSE2, and NEON on 64-bit ARM.
#include "activation_lanes.h"

namespace mainstem {
const Activation kActivationBaseline = kActivation;
}
