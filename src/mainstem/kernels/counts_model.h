// Interpolated modified Kneser-Ney over the tree of contexts: what is counted, and what follows from it.
#pragma once
#include "counts_tree.h"

namespace mainstem {

// The nodes that have one position in them, the longest first, the root last.
struct Chain {
  int64_t size = 0;
  uint32_t ids[kMostTokens + 1];
  int32_t lengths[kMostTokens + 1];
  void load(const Tree& tree, int64_t position);
};

// Of one order: what is taken off a count of 1, of 2, and of 3 and more.
struct Discounts {
  double off[3];
};

class Model {
 public:
  // `length`: tokens of a key, one more than those of the longest context.
  Model(Tree& tree, int64_t length, int64_t vocab) : tree_(tree), length_(length), vocab_(vocab) {}

  // Counts the token with chain `gram` behind that with chain `before`.
  void count(const Chain& before, const Chain& gram);

  // Takes the discounts from what has been counted.
  void settle();

  // Probabilities of that token by the orders `least` to `most`, [most - least + 1].
  void score(const Chain& before, const Chain& gram, int64_t least, int64_t most, double* found) const;

  // Of `order` as the highest one, or as one below it.
  const Discounts& discounts(int64_t order, bool highest) const { return settled_[highest][order]; }

 private:
  void count_size(int64_t kind, int64_t length, int64_t size) {
    if (size <= 4 && size > 0) --sizes_[kind][length][size];
    if (size < 4) ++sizes_[kind][length][size + 1];
  }

  Tree& tree_;
  const int64_t length_, vocab_;
  // Strings by their length, of which 1 to 4 is what order `length - 1` counts; [1]: as the highest order counts.
  int64_t sizes_[2][kMostTokens + 1][5] = {};
  int64_t fresh_[kMostTokens + 2] = {};  // [l]: how often the strings from length l on were new
  Discounts settled_[2][kMostTokens] = {};
};

}  // namespace mainstem
