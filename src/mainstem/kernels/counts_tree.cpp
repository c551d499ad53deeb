// The tree of contexts from the sorted positions, by a stack of the nodes that are still open.
#include "counts_tree.h"

#include "counts_api.h"

namespace mainstem {
namespace {

constexpr int64_t kRound = 1 << 16;  // ranks between two looks at whether to stop
constexpr int64_t kNarrow = 65535;   // positions of a node whose counts fit into 16 bits

struct Open {
  int64_t length, first;  // of its strings; its first rank
  uint32_t id;
};

// Calls opened(length) -> id for each new node, closed(node, the rank behind it, its parent's id), and leaf(rank, the id of
// its deepest node). Returns whether it came to its end.
template <class Opened, class Closed, class Leaf>
bool walk(const Sorted& sorted, int64_t total, const Watch& watch, const Opened& opened, const Closed& closed,
          const Leaf& leaf) {
  Open stack[kMostTokens + 2];
  int64_t top = 0;
  stack[0] = {0, 0, opened(0)};
  for (int64_t rank = 1; rank <= total; ++rank) {
    if (rank % kRound == 0 && watch.stopped()) return false;
    const int64_t shared = rank < total ? sorted.shared[rank] : 0;
    if (shared > stack[top].length) {
      ++top;
      stack[top] = {shared, rank - 1, opened(shared)};
    }
    leaf(rank - 1, stack[top].id);
    while (stack[top].length > shared) {
      const Open last = stack[top--];
      if (stack[top].length < shared) {
        ++top;
        stack[top] = {shared, last.first, opened(shared)};
      }
      closed(last, rank, stack[top].id);
    }
  }
  closed(stack[0], total, stack[0].id);
  return true;
}

}  // namespace

int32_t Tree::make(const Text& text, Sorted& sorted, const Watch& watch) {
  const int64_t total = text.count + 1;
  uint32_t nodes = 0, wides = 0;
  const bool sized = walk(
      sorted, total, watch, [&](int64_t) { return nodes++; },
      [&](const Open& node, int64_t end, uint32_t) { wides += end - node.first > kNarrow; }, [](int64_t, uint32_t) {});
  if (!sized) return kMainstemCountsStopped;
  if (!deepest_.make(total) || !nodes_.make(nodes) || !wide_.make(wides)) return kMainstemCountsNoMemory;
  nodes = wides = 0;
  const bool filled = walk(
      sorted, total, watch,
      [&](int64_t length) {
        nodes_[nodes].length = static_cast<uint8_t>(length);
        return nodes++;
      },
      [&](const Open& open, int64_t end, uint32_t parent) {
        Node& node = nodes_[open.id];
        node.parent = parent;
        node.wide = end - open.first > kNarrow;
        if (node.wide) std::memcpy(node.stats, &wides, sizeof wides), ++wides;
      },
      [&](int64_t rank, uint32_t id) { deepest_[sorted.ranks[rank]] = id; });
  sorted.ranks.release();
  sorted.shared.release();
  if (!filled) return kMainstemCountsStopped;
  return kMainstemOk;
}

}  // namespace mainstem
