// Streams that are mixed, on sixteen float lanes; written once for all, internal linkage, see keep_lanes.h.
#pragma once
#include "depth_lanes.h"
#include "math_lanes.h"
#include "mix.h"

namespace mainstem {
namespace {

constexpr int kMostStreams = 16;
#define MAINSTEM_UNROLL _Pragma("GCC unroll 8")

// tanh of `count` numbers, by lanes, so that one number is the same wherever it stands.
inline void tangents(float* to, const float* from, int64_t count) {
  once(count, [&](int64_t at, int64_t width) __attribute__((always_inline)) {
    const Floats in = load(from + at, width);
    store(to + at, each([&](int i) { return hyperbolic_tangent(in.part[i]); }), width);
  });
}

// kS streams, or any number of them where kS is 0.
template <class Element, int kS>
struct Tokens {
  static constexpr int kMost = kS > 0 ? kS : kMostStreams;

  const MainstemMix& m;

  explicit Tokens(const MainstemMix& mix) : m(mix) {}

  // A constant where kS is one. Members would be read again after every store, and no loop over them unrolled, so that
  // sums would live on the stack.
  int count() const {
    if constexpr (kS > 0) return kS;
    return static_cast<int>(m.streams);
  }

  template <class Pointer>
  Element* rows(Pointer from, int64_t token, int64_t of) const {
    return static_cast<Element*>(const_cast<void*>(static_cast<const void*>(from))) + token * of * m.columns;
  }

  void write(int64_t token) const {
    const int S = count(), K = S + 2;
    const int64_t D = m.columns;
    const Element *h = rows(m.h, token, S), *y = rows(m.y, token, 1);
    Element* next = rows(m.next, token, S);
    const float* w = m.weights + token * m.weights_stride;
    once(D, [&](int64_t at, int64_t count) __attribute__((always_inline)) {
      Floats own[kMost];
      MAINSTEM_UNROLL for (int s = 0; s < S; ++s) own[s] = load(h + s * D + at, count);
      const Floats branch = load(y + at, count);
      MAINSTEM_UNROLL for (int t = 0; t < S; ++t) {
        Floats sum = own[0] * w[1 + t];
        MAINSTEM_UNROLL for (int s = 1; s < S; ++s) sum = sum + own[s] * w[s * K + 1 + t];
        store(next + t * D + at, sum + branch * w[t * K + K - 1], count);
      }
    });
  }

  void weigh(int64_t token) const {
    const int S = count(), K = S + 2;
    const int64_t D = m.columns;
    const Element* next = rows(m.next, token, S);
    float *z = m.z + token * S * K, *out = m.out + token * S * K, *inverse = m.inverse + token * S;
    MAINSTEM_UNROLL for (int s = 0; s < S; ++s) {
      const Element* row = next + s * D;
      Floats squares = zeros(), products[kMost + 2];
      MAINSTEM_UNROLL for (int k = 0; k < K; ++k) products[k] = zeros();
      once(D, [&](int64_t at, int64_t count) __attribute__((always_inline)) {
        const Floats own = load(row + at, count);
        squares = squares + own * own;
        MAINSTEM_UNROLL for (int k = 0; k < K; ++k) products[k] = products[k] + own * load(m.project + k * D + at, count);
      });
      inverse[s] = 1.0f / __builtin_sqrtf(total(squares) / static_cast<float>(D) + static_cast<float>(m.eps));
      MAINSTEM_UNROLL for (int k = 0; k < K; ++k) z[s * K + k] = total(products[k]) * inverse[s];
    }
    tangents(out, z, S * K);
    for (int i = 0; i < S * K; ++i) out[i] = m.base[i] + m.scales[i % K == K - 1] * out[i];
  }

  void read(int64_t token) const {
    const int S = count(), K = S + 2;
    const int64_t D = m.columns;
    const Element* next = rows(m.next, token, S);
    Element* x = rows(m.x, token, 1);
    const float* w = m.project == nullptr ? m.base + token * m.base_stride : m.out + token * S * K;
    once(D, [&](int64_t at, int64_t count) __attribute__((always_inline)) {
      Floats sum = load(next + at, count) * w[0];
      MAINSTEM_UNROLL for (int s = 1; s < S; ++s) sum = sum + load(next + s * D + at, count) * w[s * K];
      store(x + at, sum, count);
    });
  }

  void forward(int64_t begin, int64_t end) const {
    for (int64_t token = begin; token < end; ++token) {
      if (m.y != nullptr) write(token);
      if (m.project != nullptr) weigh(token);
      if (m.x != nullptr) read(token);
    }
  }

  // Gradients of what was read, [S, D] to d: that of next, if there is one, and what reading and weighing send back.
  void unread(int64_t token, float* d, float* part) const {
    const int S = count(), K = S + 2;
    const int64_t D = m.columns;
    const Element *next = rows(m.next, token, S), *dx = m.dx == nullptr ? nullptr : rows(m.dx, token, 1);
    const Element* dnext = m.dnext == nullptr ? nullptr : rows(m.dnext, token, S);
    const float* project = m.project;
    float *dproject = part, *dbase = part + K * D + S * K, *dfactor = dbase + S * K;
    const float* w = m.project == nullptr ? m.base + token * m.base_stride : m.out + token * S * K;
    float dw[kMost * (kMost + 2)] = {};
    if (m.dout != nullptr) std::memcpy(dw, m.dout + token * S * K, static_cast<size_t>(S * K) * sizeof(float));
    Floats reads[kMost];
    MAINSTEM_UNROLL for (int s = 0; s < S; ++s) reads[s] = zeros();
    if (dx != nullptr) {
      once(D, [&](int64_t at, int64_t count) __attribute__((always_inline)) {
        const Floats upstream = load(dx + at, count);
        MAINSTEM_UNROLL for (int s = 0; s < S; ++s) {
          reads[s] = reads[s] + upstream * load(next + s * D + at, count);
        }
      });
      MAINSTEM_UNROLL for (int s = 0; s < S; ++s) dw[s * K] += total(reads[s]);
    }
    if (m.base_stride != 0) {
      std::memcpy(m.dbase + token * S * K, dw, static_cast<size_t>(S * K) * sizeof(float));
    } else {
      for (int i = 0; i < S * K; ++i) dbase[i] += dw[i];
    }
    if (project == nullptr) {
      return once(D, [&](int64_t at, int64_t count) __attribute__((always_inline)) {
        const Floats upstream = dx == nullptr ? zeros() : load(dx + at, count);
        MAINSTEM_UNROLL for (int s = 0; s < S; ++s) {
          const Floats sum = upstream * w[s * K];
          store(d + s * D + at, dnext == nullptr ? sum : load(dnext + s * D + at, count) + sum, count);
        }
      });
    }
    const float *z = m.z + token * S * K, *inverse = m.inverse + token * S;
    float u[(kMost * (kMost + 2) + kLanes - 1) / kLanes * kLanes];  // whole vectors
    tangents(u, z, S * K);
    float dz[kMost * (kMost + 2)], along[kMost];
    MAINSTEM_UNROLL for (int s = 0; s < S; ++s) {
      along[s] = 0;
      MAINSTEM_UNROLL for (int k = 0; k < K; ++k) {
        const int i = s * K + k;
        dfactor[i] += dw[i] * u[i];
        dz[i] = dw[i] * m.scales[k == K - 1] * (1.0f - u[i] * u[i]);
        along[s] += dz[i] * z[i];
        dz[i] *= inverse[s];
      }
      along[s] *= inverse[s] * inverse[s] / static_cast<float>(D);
    }
    // All streams at once, so that a column of the projection and of its gradient is moved once.
    once(D, [&](int64_t at, int64_t count) __attribute__((always_inline)) {
      Floats own[kMost], sum[kMost];
      const Floats upstream = dx == nullptr ? zeros() : load(dx + at, count);
      MAINSTEM_UNROLL for (int s = 0; s < S; ++s) {
        own[s] = load(next + s * D + at, count);
        sum[s] = upstream * w[s * K] - own[s] * along[s];
      }
      MAINSTEM_UNROLL for (int k = 0; k < K; ++k) {
        const Floats column = load(project + k * D + at, count);
        Floats all = load(dproject + k * D + at, count);
        MAINSTEM_UNROLL for (int s = 0; s < S; ++s) {
          sum[s] = sum[s] + column * dz[s * K + k];
          all = all + own[s] * dz[s * K + k];
        }
        store(dproject + k * D + at, all, count);
      }
      // Last, as autograd adds what a read and a write apart send back, so that both ways give the same bits.
      MAINSTEM_UNROLL for (int s = 0; s < S; ++s) {
        store(d + s * D + at, dnext == nullptr ? sum[s] : load(dnext + s * D + at, count) + sum[s], count);
      }
    });
  }

  // What writing sends back, from gradients d [S, D]. A vector's gradients of kTogether streams meet all h at a time:
  // as many sums as there are registers for.
  template <class Gradient>
  void unwrite(int64_t token, const Gradient* d, float* part) const {
    const int S = count(), K = S + 2;
    const int64_t D = m.columns;
    constexpr int kTogether = kRegisters == 1 && kS > 0 && kS <= 4 ? kS : 1;
    const Element *h = rows(m.h, token, S), *y = rows(m.y, token, 1);
    Element *dh = rows(m.dh, token, S), *dy = rows(m.dy, token, 1);
    const float* w = m.weights + token * m.weights_stride;
    float dw[kMost * (kMost + 2)] = {};
    const auto send = [&](int64_t at, int64_t count, const Floats* upstream) __attribute__((always_inline)) {
      Floats branch = upstream[0] * w[K - 1];
      MAINSTEM_UNROLL for (int t = 1; t < S; ++t) branch = branch + upstream[t] * w[t * K + K - 1];
      store(dy + at, branch, count);
      MAINSTEM_UNROLL for (int s = 0; s < S; ++s) {
        Floats sum = upstream[0] * w[s * K + 1];
        MAINSTEM_UNROLL for (int t = 1; t < S; ++t) sum = sum + upstream[t] * w[s * K + 1 + t];
        store(dh + s * D + at, sum, count);
      }
    };
    for (int t = 0; t < S; t += kTogether) {
      Floats mixes[kTogether][kMost], writes[kTogether];
      MAINSTEM_UNROLL for (int i = 0; i < kTogether; ++i) {
        writes[i] = zeros();
        MAINSTEM_UNROLL for (int s = 0; s < S; ++s) mixes[i][s] = zeros();
      }
      once(D, [&](int64_t at, int64_t count) __attribute__((always_inline)) {
        const Floats branch = load(y + at, count);
        Floats upstream[kTogether];
        MAINSTEM_UNROLL for (int i = 0; i < kTogether; ++i) {
          upstream[i] = load(d + (t + i) * D + at, count);
          writes[i] = writes[i] + upstream[i] * branch;
        }
        MAINSTEM_UNROLL for (int s = 0; s < S; ++s) {
          const Floats own = load(h + s * D + at, count);
          MAINSTEM_UNROLL for (int i = 0; i < kTogether; ++i) mixes[i][s] = mixes[i][s] + upstream[i] * own;
        }
        if (kTogether == kS) send(at, count, upstream);
      });
      MAINSTEM_UNROLL for (int i = 0; i < kTogether; ++i) {
        MAINSTEM_UNROLL for (int s = 0; s < S; ++s) dw[s * K + 1 + t + i] = total(mixes[i][s]);
        dw[(t + i) * K + K - 1] = total(writes[i]);
      }
    }
    if (kTogether != kS) {
      once(D, [&](int64_t at, int64_t count) __attribute__((always_inline)) {
        Floats upstream[kMost];
        MAINSTEM_UNROLL for (int t = 0; t < S; ++t) upstream[t] = load(d + t * D + at, count);
        send(at, count, upstream);
      });
    }
    if (m.weights_stride != 0) {
      std::memcpy(m.dweights + token * S * K, dw, static_cast<size_t>(S * K) * sizeof(float));
    } else {
      for (int i = 0; i < S * K; ++i) part[K * D + i] += dw[i];
    }
  }

  void backward(int64_t begin, int64_t end, float* part) const {
    const int S = count();
    const int64_t D = m.columns;
    float* scratch = part + mix_sums(S, D);
    for (int64_t token = begin; token < end; ++token) {
      if (m.base == nullptr) {
        backward_of_write(token, scratch, part);
        continue;
      }
      unread(token, scratch, part);
      if (m.y != nullptr) {
        unwrite(token, scratch, part);
      } else {
        Element* dh = rows(m.dh, token, S);
        once(S * D, [&](int64_t at, int64_t count) __attribute__((always_inline)) {
          store(dh + at, load(scratch + at, count), count);
        });
      }
    }
  }

  // Of a write that nothing reads yet: the gradient of next is read where it lies.
  void backward_of_write(int64_t token, float* scratch, float* part) const {
    const int S = count();
    const int64_t D = m.columns;
    if (m.dnext != nullptr) return unwrite(token, rows(m.dnext, token, S), part);
    once(S * D, [&](int64_t at, int64_t count) __attribute__((always_inline)) { store(scratch + at, zeros(), count); });
    unwrite(token, scratch, part);
  }
};

template <class Element>
void mix_forward(const MainstemMix& m, int64_t begin, int64_t end) {
  if (m.streams == 2) return Tokens<Element, 2>(m).forward(begin, end);
  if (m.streams == 4) return Tokens<Element, 4>(m).forward(begin, end);
  Tokens<Element, 0>(m).forward(begin, end);
}

template <class Element>
void mix_backward(const MainstemMix& m, int64_t begin, int64_t end, float* part) {
  if (m.streams == 2) return Tokens<Element, 2>(m).backward(begin, end, part);
  if (m.streams == 4) return Tokens<Element, 4>(m).backward(begin, end, part);
  Tokens<Element, 0>(m).backward(begin, end, part);
}

constexpr Mix kMix = {{mix_forward<float>, mix_forward<uint16_t>},
                      {mix_backward<float>, mix_backward<uint16_t>},
                      {depth_forward<float>, depth_forward<uint16_t>},
                      {depth_backward<float>, depth_backward<uint16_t>}};

}  // namespace
}  // namespace mainstem
