// AVX2. Compiled with -mavx2 and reached only where the processor has it.
#include "update_lanes.h"

namespace mainstem {
const Update kUpdateAvx2 = kUpdate;
}
