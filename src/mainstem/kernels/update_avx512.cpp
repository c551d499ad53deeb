// Compiled with its own flags and reached only where the processor has it: see update_lanes.h.
#include "update_lanes.h"

namespace mainstem {
const Update kUpdateAvx512 = kUpdate;
}
