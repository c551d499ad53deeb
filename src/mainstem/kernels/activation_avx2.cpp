// AVX2. Compiled with -mavx2 and reached only where the processor has it.
#include "activation_lanes.h"

namespace mainstem {
const Activation kActivationAvx2 = kActivation;
}
