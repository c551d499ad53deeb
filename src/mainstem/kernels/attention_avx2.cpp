// AVX2 with fused multiply-add. Compiled with both flags and reached only where the processor has both.
#include "attention_backward.h"
#include "attention_forward.h"

namespace mainstem {
const Attention kAttentionAvx2 = {Forward<float>::run, Forward<uint16_t>::run, Backward<float>::run,
                               Backward<uint16_t>::run};
}
