// AVX-512: a vector is one register. Compiled with its flags and reached only where the processor has it.
#include "norm_lanes.h"

namespace mainstem {
const Norm kNormAvx512 = kNorm;
}
