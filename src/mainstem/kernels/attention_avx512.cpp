// AVX-512. Compiled with its flags and reached only where the processor has it.
#include "attention_backward.h"
#include "attention_forward.h"

namespace mainstem {
const Attention kAttentionAvx512 = {Forward<float>::run, Forward<uint16_t>::run, Backward<float>::run,
                               Backward<uint16_t>::run};
}
