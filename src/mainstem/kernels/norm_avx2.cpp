// AVX2. Compiled with -mavx2 and reached only where the processor has it.
#include "norm_lanes.h"

namespace mainstem {
const Norm kNormAvx2 = kNorm;
}
