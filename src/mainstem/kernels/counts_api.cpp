// The C ABI of counts: what it is given is checked, and the phases of the work follow one another.
#include "counts_api.h"

#include <algorithm>
#include <cmath>

#include "counts_model.h"

namespace mainstem {
namespace {

constexpr int64_t kAhead = 12, kRound = 4096;  // positions whose nodes are fetched in advance; between two looks at `stop`

bool fits(const MainstemCounts& c, int64_t bits) {
  return (c.width == 1 || c.width == 2 || c.width == 4) && c.vocab >= 1 && c.vocab <= int64_t{1} << 32 && c.count >= 0 &&
         c.count < (int64_t{1} << 32) - 1 && 0 <= c.chosen_on && c.chosen_on <= c.counted && c.counted <= c.count &&
         c.order >= 0 && c.order < kMostTokens && (c.order + 1) * bits <= 128;
}

class Run {
 public:
  Run(const MainstemCounts& counts, const Text& text, Tree& tree, const Watch& watch)
      : counts_(counts), tree_(tree), watch_(watch), model_(tree, text.length, counts.vocab) {
    work_ = 2 * counts.count - counts.chosen_on + (counts.count - counts.counted);
  }

  int32_t go() {
    const MainstemCounts& c = counts_;
    double probabilities[kMostTokens];
    std::fill(c.by_order, c.by_order + c.order + 1, 0.0);
    if (!pass(0, c.chosen_on, [&](int64_t) { model_.count(*before_, *gram_); })) return kMainstemCountsStopped;
    model_.settle();
    const bool chosen = pass(c.chosen_on, c.counted, [&](int64_t) {
      model_.score(*before_, *gram_, 0, c.order, probabilities);
      for (int64_t k = 0; k <= c.order; ++k) c.by_order[k] -= std::log(probabilities[k]);
    });
    if (!chosen) return kMainstemCountsStopped;
    const int64_t order = c.chosen_on < c.counted ? std::min_element(c.by_order, c.by_order + c.order + 1) - c.by_order : c.order;
    *c.taken = order;
    if (!pass(c.chosen_on, c.counted, [&](int64_t) { model_.count(*before_, *gram_); })) return kMainstemCountsStopped;
    model_.settle();
    std::fill(c.discounts, c.discounts + 3 * (c.order + 1), 0.0);
    for (int64_t k = 0; k <= order; ++k) {
      const Discounts& found = model_.discounts(k, k == order);
      std::copy(found.off, found.off + 3, c.discounts + 3 * k);
    }
    const auto scored = [&](double* out, int64_t i) {
      model_.score(*before_, *gram_, order, order, probabilities);
      out[i - c.counted] = std::log(probabilities[0]);
    };
    if (!pass(c.counted, c.count, [&](int64_t i) { scored(c.frozen, i); })) return kMainstemCountsStopped;
    if (c.adaptive == nullptr) return kMainstemOk;
    const bool adapted = pass(c.counted, c.count, [&](int64_t i) {
      scored(c.adaptive, i);
      model_.count(*before_, *gram_);
    });
    if (!adapted) return kMainstemCountsStopped;
    return kMainstemOk;
  }

 private:
  // Calls visit(position) for [from, to) with the chains of the position and of the one before; false where stopped.
  template <class Visit>
  bool pass(int64_t from, int64_t to, const Visit& visit) {
    if (from < to) before_->load(tree_, from - 1);
    for (int64_t i = from; i < to; ++i) {
      if (i % kRound == 0) {
        if (watch_.stopped()) return false;
        watch_.tell(500, 1000, seen_ + i - from, work_);
      }
      if (i + 2 * kAhead < to) {
        tree_.prefetch(i + 2 * kAhead);
        tree_.prefetch_parent(i + kAhead);
      }
      gram_->load(tree_, i);
      visit(i);
      std::swap(before_, gram_);
    }
    seen_ += to - from;
    return true;
  }

  const MainstemCounts& counts_;
  Tree& tree_;
  const Watch& watch_;
  Model model_;
  Chain chains_[2];
  Chain *before_ = &chains_[0], *gram_ = &chains_[1];
  int64_t seen_ = 0, work_;
};

}  // namespace
}  // namespace mainstem

int32_t mainstem_counts(const MainstemCounts* counts) {
  using namespace mainstem;
  const MainstemCounts& c = *counts;
  int64_t bits = 1;
  while (bits < 32 && int64_t{1} << bits < c.vocab) ++bits;
  if (!fits(c, bits)) return kMainstemCountsBadShape;
  const Text text = {c.tokens, c.width, c.count, bits, c.order + 1};
  for (int64_t i = 0; i < c.count; ++i) {
    if (text.at(i) >= c.vocab) return kMainstemCountsBadToken;
  }
  const Watch watch = {c.done, c.stop};
  Sorted sorted;
  Tree tree;
  if (const int32_t status = sort_positions(text, sorted, watch, 450)) return status;
  if (const int32_t status = tree.make(text, sorted, watch)) return status;
  const int32_t status = Run(c, text, tree, watch).go();
  if (status == kMainstemOk) watch.tell(1000, 1000, 0, 1);
  return status;
}
