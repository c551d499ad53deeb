// The C ABI of counts of what follows what; part of api.h's, in a file of its own. Everything runs in the calling thread.
#pragma once
#include "api.h"

// Tokens [0, counted) are counted, and [counted, count) are scored. What stands before the first token counts as zeros.
struct MainstemCounts {
  const void* tokens;  // [count], unsigned, below vocab
  int64_t width;       // bytes of a token: 1, 2 or 4
  int64_t count, vocab, counted;
  // The best of the orders 0 to `order` is taken, by the loss of [chosen_on, counted) under counts of what stands before
  // it; `order` itself where chosen_on = counted. A context of `order` tokens and its next fit into 128 bits.
  int64_t order, chosen_on;
  double* frozen;      // [count - counted], natural logarithms of probabilities by the counted tokens alone
  double* adaptive;    // [count - counted] or null: by all tokens before
  double* by_order;    // [order + 1], nats of [chosen_on, counted)
  double* discounts;   // [order + 1, 3], of the order that is taken and the ones below; zeros above
  int64_t* taken;      // [1], the order
  int64_t* done;       // [1], thousandths of the work, for another thread to read
  const int32_t* stop; // [1], another thread makes it 1
};

enum MainstemCountsStatus : int32_t {
  kMainstemCountsBadShape = 30,  // sizes that contradict each other, or more than 128 bits
  kMainstemCountsBadToken = 31,  // not below vocab
  kMainstemCountsNoMemory = 32,
  kMainstemCountsStopped = 33,   // nothing that was written is of use
};

MAINSTEM_API int32_t mainstem_counts(const MainstemCounts* counts);

// Which positions of one text lie in `window` tokens, or more, that stand in another text too.
struct MainstemRepeated {
  const void* held;   // [held_count]
  const void* train;  // [train_count]
  int64_t width;      // bytes of a token: 1, 2 or 4
  int64_t held_count, train_count, window;
  uint8_t* seen;       // [held_count], set to 1 where it is so, and left alone elsewhere
  const int32_t* stop; // [1], another thread makes it 1
};

MAINSTEM_API int32_t mainstem_repeated(const MainstemRepeated* texts);
