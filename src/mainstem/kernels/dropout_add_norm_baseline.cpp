// The instructions that every processor of the kind has: SSE2, and NEON on 64-bit ARM.
#include "dropout_add_norm_lanes.h"

namespace mainstem {
const DropoutAddNorm kDropoutAddNormBaseline = kTable;
}
