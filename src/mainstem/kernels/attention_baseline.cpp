// Plain C++, for every processor; four lanes are a register of each.
#include "attention_backward.h"
#include "attention_forward.h"

namespace mainstem {
const Attention kAttentionBaseline = {Forward<float>::run, Forward<uint16_t>::run, Backward<float>::run,
                               Backward<uint16_t>::run};
}
