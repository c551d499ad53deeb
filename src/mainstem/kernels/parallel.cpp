// The hook into PyTorch's pool; without it everything runs in the calling thread.
#include "parallel.h"

#include <atomic>

#include "api.h"

namespace mainstem {
namespace {

// As torch/csrc/stable/c/shim.h declares torch_parallel_for (2.10 and later).
using ParallelFor = int32_t (*)(int64_t begin, int64_t end, int64_t grain, Body body, void* context);

std::atomic<ParallelFor> hook{nullptr};

}  // namespace

void parallel_for(int64_t count, int64_t grain, Body body, void* context) {
  const ParallelFor parallel = hook.load(std::memory_order_relaxed);
  if (parallel == nullptr || count <= grain) {
    if (count > 0) body(0, count, context);
    return;
  }
  // It fails only where the body throws, and no body here can.
  parallel(0, count, grain, body, context);
}

}  // namespace mainstem

void mainstem_set_parallel_for(void* address) {
  mainstem::hook.store(reinterpret_cast<mainstem::ParallelFor>(address), std::memory_order_relaxed);
}
