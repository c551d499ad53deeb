// AVX2. Compiled with -mavx2 and reached only where the processor has it.
#include "mix_lanes.h"

namespace mainstem {
const Mix kMixAvx2 = kMix;
}
