// Root-mean-square normalisation of a whole array: its rows, cut into stretches of one stride, in parallel.
#include <algorithm>
#include <cstring>

#include "api.h"
#include "norm.h"
#include "parallel.h"
#include "variant.h"

namespace mainstem {
namespace {

constexpr int64_t kGrainElements = 32768;  // fewer are not worth a second thread

struct Whole {
  MainstemRows shape;
  NormRows base;  // its pointers are those of the array's first row
  int64_t size;   // bytes of an element
  void (*rows)(const NormRows&);
  int64_t chunk;  // rows of one partial sum, of backward

  int64_t count() const { return shape.outer * shape.middle * shape.inner; }
  int64_t grain(int64_t rows) const {
    return std::max<int64_t>(1, kGrainElements / std::max<int64_t>(1, rows * shape.columns));
  }

  int64_t offset(const int64_t* strides, int64_t row) const {
    const int64_t outer = row / shape.inner / shape.middle, middle = row / shape.inner % shape.middle;
    return (outer * strides[0] + middle * strides[1] + row % shape.inner * strides[2]) * size;
  }

  void stretch(int64_t begin, int64_t end, float* dgain) const {
    NormRows part = base;
    part.dgain = dgain;
    for (int64_t row = begin; row < end; row += part.rows) {
      part.rows = std::min(end - row, shape.inner - row % shape.inner);
      part.x = static_cast<const char*>(base.x) + offset(shape.x, row);
      part.y = static_cast<char*>(base.y) + offset(shape.y, row);
      if (base.dy != nullptr) part.dy = static_cast<const char*>(base.dy) + offset(shape.dy, row);
      part.inverse = base.inverse + row;
      if (shape.cosine != nullptr) {
        part.cosine = shape.cosine + row % shape.inner * (shape.columns / 2);
        part.sine = shape.sine + row % shape.inner * (shape.columns / 2);
      }
      rows(part);
    }
  }

  static void forward(int64_t begin, int64_t end, void* context) {
    static_cast<const Whole*>(context)->stretch(begin, end, nullptr);
  }

  static void backward(int64_t begin, int64_t end, void* context) {
    const Whole& self = *static_cast<const Whole*>(context);
    for (int64_t number = begin; number < end; ++number) {
      float* dgain = self.base.dgain;
      if (dgain != nullptr) {
        dgain += number * self.shape.columns;
        std::memset(dgain, 0, static_cast<size_t>(self.shape.columns) * sizeof(float));
      }
      self.stretch(number * self.chunk, std::min((number + 1) * self.chunk, self.count()), dgain);
    }
  }
};

int32_t check(const MainstemRows& shape, int64_t dtype, const Variant* variant) {
  const int64_t sizes[] = {shape.outer, shape.middle, shape.inner, shape.columns};
  if (*std::min_element(sizes, sizes + 4) < 0) return kMainstemBadShape;
  if (shape.cosine != nullptr && (shape.sine == nullptr || shape.columns % 2 != 0)) return kMainstemBadShape;
  if (variant == nullptr) return kMainstemBadVariant;
  return dtype == kMainstemFloat32 || dtype == kMainstemBfloat16 ? kMainstemOk : kMainstemBadDtype;
}

Whole whole(const MainstemRows& shape, int64_t dtype, const void* x, void* y, const float* gain, float* inverse) {
  Whole work{};
  work.shape = shape;
  work.size = dtype == kMainstemFloat32 ? 4 : 2;
  work.base.columns = shape.columns;
  work.base.x = x;
  work.base.y = y;
  work.base.gain = gain;
  work.base.inverse = inverse;
  work.base.x_stride = shape.x[2];
  work.base.y_stride = shape.y[2];
  work.base.dy_stride = shape.dy[2];
  return work;
}

}  // namespace
}  // namespace mainstem

int32_t mainstem_rms_norm(void* y, float* inverse, const void* x, const float* gain, int64_t dtype,
                          const MainstemRows* shape, double eps, int64_t variant) {
  const mainstem::Variant* chosen = mainstem::variant(variant);
  const int32_t bad = mainstem::check(*shape, dtype, chosen);
  if (bad != kMainstemOk) return bad;
  mainstem::Whole work = mainstem::whole(*shape, dtype, x, y, gain, inverse);
  work.base.eps = static_cast<float>(eps);
  work.rows = dtype == kMainstemFloat32 ? chosen->norm->forward_float32 : chosen->norm->forward_bfloat16;
  mainstem::parallel_for(work.count(), work.grain(1), mainstem::Whole::forward, &work);
  return kMainstemOk;
}

int32_t mainstem_rms_norm_backward(void* dx, float* dgain, float* parts, const void* dy, const void* x,
                                   const float* gain, const float* inverse, int64_t dtype, const MainstemRows* shape,
                                   int64_t chunk, int64_t variant) {
  const mainstem::Variant* chosen = mainstem::variant(variant);
  const int32_t bad = mainstem::check(*shape, dtype, chosen);
  if (bad != kMainstemOk) return bad;
  if (chunk < 1) return kMainstemBadShape;
  // Backward only reads what forward wrote.
  mainstem::Whole work = mainstem::whole(*shape, dtype, x, dx, gain, const_cast<float*>(inverse));
  work.base.dy = dy;
  work.base.dgain = gain == nullptr ? nullptr : parts;
  work.chunk = chunk;
  work.rows = dtype == kMainstemFloat32 ? chosen->norm->backward_float32 : chosen->norm->backward_bfloat16;
  const int64_t chunks = (work.count() + chunk - 1) / chunk;
  mainstem::parallel_for(chunks, work.grain(chunk), mainstem::Whole::backward, &work);
  if (gain != nullptr) chosen->norm->sum(dgain, parts, chunks, shape->columns);
  return kMainstemOk;
}
