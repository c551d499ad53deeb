// Runs the counts over texts of many sizes in buffers of exactly their size, under the sanitizers.
//
// What is checked of the numbers is that the next token's probabilities sum to one; the exit status is the number of faults.
#include <cmath>
#include <cstdio>
#include <vector>

#include "counts_api.h"
#include "sanitize.h"

namespace {

template <class Token>
std::vector<Token> text(int64_t size, int64_t vocab) {
  std::vector<Token> found(static_cast<size_t>(size));
  uint64_t state = 1;
  for (int64_t i = 0; i < size; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const uint64_t drawn = state >> 40;
    // Half of it repeats what stood 50 tokens before.
    found[static_cast<size_t>(i)] = drawn % 2 && i >= 50 ? found[static_cast<size_t>(i - 50)] : static_cast<Token>(drawn / 2 % static_cast<uint64_t>(vocab));
  }
  return found;
}

struct Result {
  std::vector<double> frozen, adaptive, by_order, discounts;
  int64_t taken = -1, done = 0;
  int32_t status = 0;
};

template <class Token>
Result run(const std::vector<Token>& tokens, int64_t vocab, int64_t counted, int64_t order, int64_t chosen_on, bool adaptive, int32_t stop = 0) {
  const int64_t count = static_cast<int64_t>(tokens.size());
  Result r;
  r.frozen.resize(static_cast<size_t>(count - counted));
  r.adaptive.resize(static_cast<size_t>(adaptive ? count - counted : 0));
  r.by_order.resize(static_cast<size_t>(order + 1));
  r.discounts.resize(static_cast<size_t>(3 * (order + 1)));
  double none = 0;
  const MainstemCounts c = {tokens.data(), sizeof(Token), count, vocab, counted, order, chosen_on, r.frozen.data(),
                            !adaptive ? nullptr : r.adaptive.empty() ? &none : r.adaptive.data(), r.by_order.data(), r.discounts.data(), &r.taken, &r.done, &stop};
  r.status = mainstem_counts(&c);
  return r;
}

template <class Token>
void check(int64_t size, int64_t vocab, int64_t order) {
  for (const int64_t counted : {int64_t{0}, size / 2, size}) {
    for (const int64_t chosen_on : {counted, counted * 9 / 10}) {
      for (const bool adaptive : {false, true}) {
        const Result r = run(text<Token>(size, vocab), vocab, counted, order, chosen_on, adaptive);
        if (r.status != kMainstemOk || r.taken < 0 || r.taken > order || r.done != 1000) ++faults;
        for (const double p : r.frozen) faults += !(p <= 0);
        for (const double p : r.adaptive) faults += !(p <= 0);
      }
    }
  }
}

void check_sum(int64_t size, int64_t vocab, int64_t order) {
  double frozen = 0, adaptive = 0;
  std::vector<uint8_t> tokens = text<uint8_t>(size, vocab);
  for (int64_t y = 0; y < vocab; ++y) {
    tokens.back() = static_cast<uint8_t>(y);
    const Result r = run(tokens, vocab, size / 2, order, size / 2, true);
    frozen += std::exp(r.frozen.back());
    adaptive += std::exp(r.adaptive.back());
  }
  if (!near(frozen, 1, 1e-12) || !near(adaptive, 1, 1e-12)) ++faults;
}

template <class Token>
void check_repeated(int64_t held_count, int64_t train_count, int64_t window) {
  const std::vector<Token> held = text<Token>(held_count, 3), train = text<Token>(train_count, 4);
  std::vector<uint8_t> seen(held.size());
  int32_t stop = 0;
  MainstemRepeated t = {held.data(), train.data(), sizeof(Token), held_count, train_count, window, seen.data(), &stop};
  if (mainstem_repeated(&t) != kMainstemOk) ++faults;
  for (const uint8_t mark : seen) faults += mark > 1;
  t.train = t.held;
  t.train_count = held_count;
  if (mainstem_repeated(&t) != kMainstemOk) ++faults;
  for (const uint8_t mark : seen) faults += held_count >= window && mark != 1;
  stop = 1;
  if (held_count >= window && mainstem_repeated(&t) != kMainstemCountsStopped) ++faults;
}

}  // namespace

int main() {
  for (const int64_t held : {0, 1, 63, 64, 65, 1000}) {
    for (const int64_t train : {0, 63, 64, 3000}) {
      for (const int64_t window : {1, 2, 64}) {
        check_repeated<uint8_t>(held, train, window);
        check_repeated<uint16_t>(held, train, window);
        check_repeated<uint32_t>(held, train, window);
      }
    }
  }
  for (const int64_t size : {0, 1, 2, 3, 50, 333, 5000}) {
    for (const int64_t order : {0, 1, 3}) {
      for (const int64_t vocab : {1, 2, 65, 200}) check<uint8_t>(size, vocab, order);
      check<uint16_t>(size, 5000, order);
      check<uint32_t>(size, int64_t{1} << 32, order);
    }
    check<uint8_t>(size, 2, 31);
    check<uint8_t>(size, 256, 15);
  }
  check<uint8_t>(70000, 1, 2);  // wide nodes, and keys that all agree
  check<uint8_t>(70000, 30, 5);
  for (const int64_t order : {0, 1, 2, 6}) check_sum(400, 7, order);
  const std::vector<uint8_t> tokens = text<uint8_t>(100, 5);
  if (run(tokens, 4, 50, 2, 50, true).status != kMainstemCountsBadToken) ++faults;
  if (run(tokens, 200, 50, 16, 50, true).status != kMainstemCountsBadShape) ++faults;
  if (run(tokens, 5, 50, 2, 51, true).status != kMainstemCountsBadShape) ++faults;
  if (run(tokens, 5, 50, 2, 50, true, 1).status != kMainstemCountsStopped) ++faults;
  std::printf("counts: %d faults\n", faults);
  return faults == 0 ? 0 : 1;
}
