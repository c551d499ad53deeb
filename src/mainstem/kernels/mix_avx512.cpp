// AVX-512. Compiled with its flags and reached only where the processor has it.
#include "mix_lanes.h"

namespace mainstem {
const Mix kMixAvx512 = kMix;
}
