// Dropout, the residual sum and the norm over a whole array: its rows with their keep bits, in parallel.
#include "dropout_add_norm_api.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "draw.h"
#include "dropout_add_norm.h"
#include "parallel.h"
#include "variant.h"

namespace mainstem {
namespace {

constexpr int64_t kGrainElements = 32768;  // fewer are not worth a second thread
constexpr int64_t kBatchCalls = 1024;      // Philox calls made before the rows that need them: one call costs less so

const DropoutAddNorm& table(Isa isa) {
  switch (isa) {
#ifdef MAINSTEM_AVX2
    case Isa::kAvx2: return kDropoutAddNormAvx2;
#endif
#ifdef MAINSTEM_AVX512
    case Isa::kAvx512: return kDropoutAddNormAvx512;
#endif
    default: return kDropoutAddNormBaseline;
  }
}

struct Work {
  const Variant* variant;
  MainstemFused shape;
  FusedRows base;  // its pointers are those of the array's first row
  void (*run)(const FusedRows&);
  Draw draw;
  const int64_t* samples;
  bool drops, all_dropped;
  int64_t chunk;  // rows of one partial sum, of backward
  float* parts;

  int64_t count() const { return shape.samples * shape.rows; }
  int64_t grain(int64_t rows) const {
    return std::max<int64_t>(1, kGrainElements / std::max<int64_t>(1, rows * shape.columns));
  }

  template <class Pointer>
  static Pointer at(Pointer base, int64_t offset) {
    using Byte = typename std::conditional<std::is_const<typename std::remove_pointer<Pointer>::type>::value,
                                           const char, char>::type;
    return base == nullptr ? nullptr : static_cast<Pointer>(static_cast<Byte*>(base) + offset);
  }

  // part.rows rows from number `begin` on, with their keep bits.
  void rows(FusedRows part, int64_t begin, const uint8_t* bits) const {
    const int64_t narrow = begin * shape.columns * (shape.x_dtype == kMainstemFloat32 ? 4 : 2);
    const int64_t wide = begin * shape.columns * (shape.stream_dtype == kMainstemFloat32 ? 4 : 2);
    part.bits = bits;
    part.x = at(base.x, narrow);
    part.dx = at(base.dx, narrow);
    part.residual = at(base.residual, wide);
    part.stream = at(base.stream, wide);
    part.normed = at(base.normed, wide);
    part.written = at(base.written, wide);
    part.dstream = at(base.dstream, wide);
    part.dnormed = at(base.dnormed, wide);
    part.inverse = base.inverse + begin;
    part.mean = base.mean == nullptr ? nullptr : base.mean + begin;
    run(part);
  }

  void stretch(int64_t begin, int64_t end, float* dgain, float* dbias) const {
    // Four bytes more: a vector's bits are read as a word that may begin in the row's last byte.
    uint8_t bits[kMainstemFusedColumns / 8 + 4] = {};
    FusedRows part = base;
    part.dgain = dgain;
    part.dbias = dbias;
    if (!drops) {
      part.rows = end - begin;
      return rows(part, begin, nullptr);
    }
    const int64_t most = std::max<int64_t>(1, kBatchCalls / std::max<int64_t>(1, base.groups));
    for (int64_t row = begin; row < end; row += part.rows) {
      const int64_t within = row % shape.rows;
      part.rows = std::min({most, end - row, shape.rows - within});
      const int64_t calls = part.rows * base.groups;
      if (all_dropped) {
        std::memset(bits, 0, static_cast<size_t>(calls));
      } else {
        Draw own = draw;
        own.sample = static_cast<uint32_t>(samples[row / shape.rows]);
        variant->keep(bits, static_cast<uint32_t>(within * base.groups), calls, own);
      }
      rows(part, row, bits);
    }
  }

  static void forward(int64_t begin, int64_t end, void* context) {
    static_cast<const Work*>(context)->stretch(begin, end, nullptr, nullptr);
  }

  static void backward(int64_t begin, int64_t end, void* context) {
    const Work& self = *static_cast<const Work*>(context);
    const int64_t columns = self.shape.columns;
    for (int64_t number = begin; number < end; ++number) {
      float* own = self.parts + 2 * number * columns;
      std::fill(own, own + 2 * columns, 0.0f);
      self.stretch(number * self.chunk, std::min((number + 1) * self.chunk, self.count()),
                   self.base.dgain == nullptr ? nullptr : own, self.base.dbias == nullptr ? nullptr : own + columns);
    }
  }
};

bool known(int64_t dtype) { return dtype == kMainstemFloat32 || dtype == kMainstemBfloat16; }

Asked asked(const MainstemFused& shape, const MainstemDraw& draw) {
  return {draw.threshold, draw.key, draw.samples, shape.samples, draw.site};
}

int32_t check(const MainstemFused& shape, const MainstemDraw& draw, const Variant* variant) {
  if (shape.samples < 0 || shape.rows < 0 || shape.columns < 0 || shape.columns > kMainstemFusedColumns) {
    return kMainstemBadShape;
  }
  if (variant == nullptr) return kMainstemBadVariant;
  if (!known(shape.x_dtype) || !known(shape.stream_dtype)) return kMainstemBadDtype;
  if (draw.threshold == nullptr) return kMainstemOk;
  const int32_t bad = refused(asked(shape, draw));
  if (bad != kMainstemOk) return bad;
  return shape.rows > kCounter / std::max<int64_t>(1, (shape.columns + 7) / 8) ? kMainstemBadShape : kMainstemOk;
}

Work work(const MainstemFused& shape, const MainstemDraw& draw, const Variant* variant) {
  Work w{};
  w.variant = variant;
  w.shape = shape;
  w.samples = draw.samples;
  w.base.columns = shape.columns;
  w.base.groups = (shape.columns + 7) / 8;
  w.base.eps = static_cast<float>(shape.eps);
  w.base.factor = static_cast<float>(shape.scale);
  if (draw.threshold == nullptr || *draw.threshold == 0) return w;
  w.drops = true;
  w.all_dropped = *draw.threshold == 65536;
  if (!w.all_dropped) w.base.factor *= kept_scale(*draw.threshold);
  w.draw = drawn(asked(shape, draw));
  return w;
}

// sum[i] = parts[0][i] + parts[1][i] + ..., in this order; the parts lie 2 * columns apart.
void gather(float* sum, const float* parts, int64_t count, int64_t columns) {
  if (sum == nullptr) return;
  std::fill(sum, sum + columns, 0.0f);
  for (int64_t part = 0; part < count; ++part) {
    const float* own = parts + 2 * part * columns;
    for (int64_t i = 0; i < columns; ++i) sum[i] += own[i];
  }
}

}  // namespace
}  // namespace mainstem

int32_t mainstem_dropout_add_norm(void* stream, void* normed, float* inverse, float* mean, const void* x,
                                  const void* residual, const float* gain, const float* bias,
                                  const MainstemFused* shape, const MainstemDraw* draw, int64_t variant) {
  const mainstem::Variant* chosen = mainstem::variant(variant);
  const int32_t bad = mainstem::check(*shape, *draw, chosen);
  if (bad != kMainstemOk) return bad;
  mainstem::Work w = mainstem::work(*shape, *draw, chosen);
  w.base.x = x;
  w.base.residual = residual;
  w.base.stream = stream;
  w.base.normed = normed;
  w.base.inverse = inverse;
  w.base.mean = shape->layer ? mean : nullptr;
  w.base.gain = gain;
  w.base.bias = bias;
  w.run = mainstem::table(chosen->isa).forward[shape->x_dtype][shape->stream_dtype];
  mainstem::parallel_for(w.count(), w.grain(1), mainstem::Work::forward, &w);
  return kMainstemOk;
}

int32_t mainstem_dropout_add_norm_backward(void* dresidual, void* dx, float* dgain, float* dbias, float* parts,
                                           const void* dstream, const void* dnormed, const void* stream,
                                           const float* inverse, const float* mean, const float* gain,
                                           const MainstemFused* shape, const MainstemDraw* draw, int64_t chunk,
                                           int64_t variant) {
  const mainstem::Variant* chosen = mainstem::variant(variant);
  const int32_t bad = mainstem::check(*shape, *draw, chosen);
  if (bad != kMainstemOk) return bad;
  if (chunk < 1) return kMainstemBadShape;
  mainstem::Work w = mainstem::work(*shape, *draw, chosen);
  w.base.stream = dresidual;
  w.base.dx = dx;
  w.base.dgain = dgain;
  w.base.dbias = dbias;
  w.base.dstream = dstream;
  w.base.dnormed = dnormed;
  w.base.written = stream;
  // Backward only reads what forward wrote.
  w.base.inverse = const_cast<float*>(inverse);
  w.base.mean = shape->layer ? const_cast<float*>(mean) : nullptr;
  w.base.gain = gain;
  w.chunk = chunk;
  w.parts = parts;
  w.run = mainstem::table(chosen->isa).backward[shape->x_dtype][shape->stream_dtype];
  const int64_t chunks = (w.count() + chunk - 1) / chunk;
  mainstem::parallel_for(chunks, w.grain(chunk), mainstem::Work::backward, &w);
  mainstem::gather(dgain, parts, chunks, shape->columns);
  mainstem::gather(dbias, parts + shape->columns, chunks, shape->columns);
  return kMainstemOk;
}
