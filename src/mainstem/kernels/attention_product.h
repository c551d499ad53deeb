// Small matrix products whose operands lie in scratch memory: C = A B or C += A B. Internal linkage, see keep_lanes.h.
#pragma once
#include "attention_lanes.h"

namespace mainstem {
namespace {

// Rows of C that are held in registers at a time, with up to kMost vectors of each. Eight sums keep two multipliers
// busy; sixteen take fewer loads for each product, where there are registers for them.
constexpr int kRows = 4;
constexpr int kMost = kWidth == 16 ? 4 : 2;

// What of B a panel of kRows rows of C needs: columns from `column` on, and steps [begin, end) of the sum.
struct Need {
  int64_t column, begin, end;
};

// Element (row, step) of A is at row * lda + step, or, if it is transposed, at step * lda + row.
template <int kVectors, bool kTransposed>
inline void panel(const float* a, int64_t lda, const float* b, int64_t ldb, float* c, int64_t ldc, int64_t steps,
                  bool add) {
  Float sum[kRows][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) sum[r][v] = add ? load(c + r * ldc + v * kWidth) : Float{};
  }
  for (int64_t step = 0; step < steps; ++step) {
    Float right[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) right[v] = load(b + step * ldb + v * kWidth);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const Float left = same(kTransposed ? a[step * lda + r] : a[r * lda + step]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sum[r][v] = fused(left, right[v], sum[r][v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) store(c + r * ldc + v * kWidth, sum[r][v]);
  }
}

// Rows go up to a multiple of kRows: what lies between must be readable in A and writable in C. Columns are whole
// vectors. need(row) says what the panel that begins at `row` needs.
template <bool kTransposed, class Select>
inline void multiply(const float* a, int64_t lda, const float* b, int64_t ldb, float* c, int64_t ldc, int64_t rows,
                     int64_t columns, bool add, const Select& need) {
  for (int64_t row = 0; row < rows; row += kRows) {
    const Need own = need(row);
    const float* left = a + (kTransposed ? own.begin * lda + row : row * lda + own.begin);
    const float* right = b + own.begin * ldb;
    int64_t at = own.column;
    for (; at + kMost * kWidth <= columns; at += kMost * kWidth) {
      panel<kMost, kTransposed>(left, lda, right + at, ldb, c + row * ldc + at, ldc, own.end - own.begin, add);
    }
    for (; at + 2 * kWidth <= columns; at += 2 * kWidth) {
      panel<2, kTransposed>(left, lda, right + at, ldb, c + row * ldc + at, ldc, own.end - own.begin, add);
    }
    if (at < columns) {
      panel<1, kTransposed>(left, lda, right + at, ldb, c + row * ldc + at, ldc, own.end - own.begin, add);
    }
  }
}

}  // namespace
}  // namespace mainstem
