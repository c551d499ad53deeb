// The contexts that occur at two positions or more, as a tree: the parent of a context is one that forgets the oldest.
//
// A node stands for all lengths from its parent's, which is left out, to its own: the same positions have all of these
// strings behind them. A string that occurs once has no node: before its only position nothing has been counted of it.
#pragma once
#include <cstring>

#include "counts_text.h"

namespace mainstem {

enum Stat : int {
  kSeen,     // times that the string has been counted
  kBefore,   // distinct tokens that were counted before it
  kEvents,   // tokens counted behind it
  kTypes,    // distinct tokens counted behind it
  kMass,     // sum over these of the distinct tokens before string and token together, which is 1 a token at `kOnes`
  kOnes, kTwos,        // types of which that is 1, and 2
  kRawOnes, kRawTwos,  // types that were counted once, and twice
  kStats
};

// A count is at most the number of positions of its node, which for nearly all nodes fits into 16 bits.
struct Node {
  uint32_t parent;
  uint8_t length;
  uint8_t wide;  // whether the first two of `stats` are an index into Tree::wide
  uint16_t stats[kStats];
};
static_assert(sizeof(Node) == 24, "a node has 24 bytes");

struct Wide {
  uint32_t stats[kStats];
};

class Tree {
 public:
  // 0, kMainstemCountsNoMemory or kMainstemCountsStopped; frees `sorted` when it is no longer needed.
  int32_t make(const Text& text, Sorted& sorted, const Watch& watch);

  // The longest node that has `position` (from -1 on) in it.
  uint32_t deepest(int64_t position) const { return deepest_[position + 1]; }
  const Node& node(uint32_t id) const { return nodes_[id]; }
  void prefetch(int64_t position) const { __builtin_prefetch(nodes_.data() + deepest_[position + 1], 1); }
  void prefetch_parent(int64_t position) const {
    __builtin_prefetch(nodes_.data() + nodes_[deepest_[position + 1]].parent, 1);
  }

  uint32_t get(uint32_t id, Stat stat) const {
    const Node& node = nodes_[id];
    return node.wide ? wide_[index(node)].stats[stat] : node.stats[stat];
  }
  void add(uint32_t id, Stat stat, int change) {
    Node& node = nodes_[id];
    if (node.wide) {
      wide_[index(node)].stats[stat] += static_cast<uint32_t>(change);
    } else {
      node.stats[stat] = static_cast<uint16_t>(node.stats[stat] + change);
    }
  }

 private:
  static uint32_t index(const Node& node) {
    uint32_t found;
    std::memcpy(&found, node.stats, sizeof found);
    return found;
  }

  Buffer<uint32_t> deepest_;  // [count + 1]
  Buffer<Node> nodes_;
  Buffer<Wide> wide_;
};

}  // namespace mainstem
