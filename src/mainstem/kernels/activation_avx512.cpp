// AVX-512. Compiled with its flags and reached only where the processor has it.
#include "activation_lanes.h"

namespace mainstem {
const Activation kActivationAvx512 = kActivation;
}
