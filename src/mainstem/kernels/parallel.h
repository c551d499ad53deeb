// Work over PyTorch's own pool of threads, so that there is never a second one.
#pragma once
#include <cstdint>

namespace mainstem {

using Body = void (*)(int64_t begin, int64_t end, void* context);

// Calls body on disjoint ranges that together are [0, count), each of at least `grain` items, and waits.
// An item's result must not depend on the range that it falls into.
void parallel_for(int64_t count, int64_t grain, Body body, void* context);

}  // namespace mainstem
