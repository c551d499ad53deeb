// How one token is counted and scored, along the nodes that have it and the token before in them.
#include "counts_model.h"

#include <algorithm>

namespace mainstem {

void Chain::load(const Tree& tree, int64_t position) {
  size = 0;
  for (uint32_t id = tree.deepest(position);; id = tree.node(id).parent) {
    ids[size] = id;
    lengths[size++] = tree.node(id).length;
    if (id == 0) return;
  }
}

void Model::count(const Chain& before, const Chain& gram) {
  // Strings longer than `known` were never counted; that of length `known` was, behind other tokens.
  int64_t deep = 0;
  while (deep < gram.size && tree_.get(gram.ids[deep], kSeen) == 0) ++deep;
  const int64_t known = deep < gram.size ? gram.lengths[deep] : 0;
  const bool widens = 0 < known && known < length_;
  const uint32_t kinds = widens ? tree_.get(gram.ids[deep], kBefore) : 0;
  if (widens) {
    count_size(0, known, kinds);
    tree_.add(gram.ids[deep], kBefore, 1);
  }
  for (int64_t i = 0; i < deep; ++i) tree_.add(gram.ids[i], kBefore, 1);
  ++fresh_[known + 1];

  int64_t w = gram.size - 1;
  for (int64_t u = before.size - 1; u >= 0; --u) {
    const uint32_t id = before.ids[u];
    const int64_t length = std::min<int64_t>(before.lengths[u] + 1, length_);
    while (w >= 0 && gram.lengths[w] < length) --w;
    const uint32_t seen = w >= 0 ? tree_.get(gram.ids[w], kSeen) : 0;
    tree_.add(id, kEvents, 1);
    if (seen == 0) {
      tree_.add(id, kTypes, 1);
      tree_.add(id, kMass, 1);
      tree_.add(id, kOnes, 1);
      tree_.add(id, kRawOnes, 1);
      continue;
    }
    if (seen <= 2) tree_.add(id, seen == 1 ? kRawOnes : kRawTwos, -1);
    if (seen == 1) tree_.add(id, kRawTwos, 1);
    if (widens && length == known) {
      tree_.add(id, kMass, 1);
      if (kinds <= 2) tree_.add(id, kinds == 1 ? kOnes : kTwos, -1);
      if (kinds == 1) tree_.add(id, kTwos, 1);
    }
  }

  for (int64_t i = deep; i < gram.size; ++i) {
    const uint32_t seen = tree_.get(gram.ids[i], kSeen);
    const int64_t above = i + 1 < gram.size ? gram.lengths[i + 1] : 0;
    for (int64_t length = gram.lengths[i]; seen <= 4 && seen > 0 && length > above; --length) count_size(1, length, seen);
  }
  for (int64_t i = 0; i < gram.size; ++i) tree_.add(gram.ids[i], kSeen, 1);
}

void Model::settle() {
  int64_t fresh = fresh_[1];
  for (int64_t length = 1; length <= length_; ++length) {
    if (length > 1) fresh += fresh_[length];
    for (int64_t kind = 0; kind < 2; ++kind) {
      const int64_t* sizes = sizes_[kind][length];
      const double n[4] = {static_cast<double>(sizes[1] + fresh), static_cast<double>(sizes[2]),
                           static_cast<double>(sizes[3]), static_cast<double>(sizes[4])};
      Discounts& found = settled_[kind][length - 1];
      found = {{0.5, 1.0, 1.5}};  // where there are too few strings for a formula
      if (n[0] <= 0 || n[1] <= 0 || n[2] <= 0 || n[3] <= 0) continue;
      const double y = n[0] / (n[0] + 2 * n[1]);
      const double off[3] = {1 - 2 * y * n[1] / n[0], 2 - 3 * y * n[2] / n[1], 3 - 4 * y * n[3] / n[2]};
      bool fits = true;
      for (int i = 0; i < 3; ++i) fits = fits && 0 < off[i] && off[i] <= i + 1;
      if (fits) found = {{off[0], off[1], off[2]}};
    }
  }
}

namespace {

double interpolate(uint32_t count, uint32_t mass, uint32_t types, uint32_t ones, uint32_t twos, const Discounts& by, double lower) {
  const double off = count == 0 ? 0.0 : by.off[std::min<uint32_t>(count, 3) - 1];
  const double rest = by.off[0] * ones + by.off[1] * twos + by.off[2] * (types - ones - twos);
  return ((count - off) + rest * lower) / mass;
}

}  // namespace

void Model::score(const Chain& before, const Chain& gram, int64_t least, int64_t most, double* found) const {
  double p = 1.0 / static_cast<double>(vocab_);
  int64_t u = before.size - 1, w = gram.size - 1, order = 0;
  for (; order <= most; ++order) {
    while (u >= 0 && before.lengths[u] < order) --u;
    const uint32_t types = u >= 0 ? tree_.get(before.ids[u], kTypes) : 0;
    if (types == 0) break;  // nothing was counted behind this context, nor behind longer ones
    const uint32_t id = before.ids[u];
    while (w >= 0 && gram.lengths[w] < order + 1) --w;
    const uint32_t seen = w >= 0 ? tree_.get(gram.ids[w], kSeen) : 0;
    if (order >= least) {
      found[order - least] = interpolate(seen, tree_.get(id, kEvents), types, tree_.get(id, kRawOnes),
                                         tree_.get(id, kRawTwos), settled_[1][order], p);
    }
    if (order == most) return;
    const uint32_t kinds = seen == 0 ? 0 : gram.lengths[w] == order + 1 ? tree_.get(gram.ids[w], kBefore) : 1;
    const bool own = before.lengths[u] == order;
    p = interpolate(kinds, own ? tree_.get(id, kMass) : types, types, own ? tree_.get(id, kOnes) : types,
                    own ? tree_.get(id, kTwos) : 0, settled_[0][order], p);
  }
  for (; order <= most; ++order) {
    if (order >= least) found[order - least] = p;
  }
}

}  // namespace mainstem
