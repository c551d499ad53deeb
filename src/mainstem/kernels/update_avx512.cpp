// AVX-512. Compiled with its flags and reached only where the processor has it.
#include "update_lanes.h"

namespace mainstem {
const Update kUpdateAvx512 = kUpdate;
}
