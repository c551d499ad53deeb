// AVX2. Compiled with -mavx2 and reached only where the processor has it.
#include "dropout_add_norm_lanes.h"

namespace mainstem {
const DropoutAddNorm kDropoutAddNormAvx2 = kTable;
}
