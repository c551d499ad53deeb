// What the programs of this folder have in common: numbers of either width, a count of faults, and a pool of threads.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

inline int faults = 0;

inline float value(float x) { return x; }
inline float value(uint16_t x) {
  const uint32_t bits = static_cast<uint32_t>(x) << 16;
  float wide;
  std::memcpy(&wide, &bits, sizeof wide);
  return wide;
}
inline void set(float& to, float from) { to = from; }
inline void set(uint16_t& to, float from) {
  uint32_t bits;
  std::memcpy(&bits, &from, sizeof bits);
  to = static_cast<uint16_t>(bits >> 16);
}

inline bool near(double found, double expected, double tolerance) {
  return std::fabs(found - expected) <= tolerance * (1 + std::fabs(expected));
}

// A pool like PyTorch's: as many ranges as threads, each of at least `grain` items.
inline int32_t three_threads(int64_t begin, int64_t end, int64_t grain, void (*body)(int64_t, int64_t, void*),
                             void* context) {
  const int64_t count = end - begin, wanted = (count + grain - 1) / grain;
  const int64_t size = (count + (wanted < 3 ? wanted : 3) - 1) / (wanted < 3 ? wanted : 3);
  std::vector<std::thread> threads;
  for (int64_t from = begin; from < end; from += size) {
    threads.emplace_back(body, from, from + size < end ? from + size : end, context);
  }
  for (std::thread& thread : threads) thread.join();
  return 0;
}
