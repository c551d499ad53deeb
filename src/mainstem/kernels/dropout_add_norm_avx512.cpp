// AVX-512: a vector is one register. Compiled with its flags and reached only where the processor has it.
#include "dropout_add_norm_lanes.h"

namespace mainstem {
const DropoutAddNorm kDropoutAddNormAvx512 = kTable;
}
