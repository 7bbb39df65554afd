// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
//
// A number is a pure function of (key, counter): no state to save, the same at any thread count and after any resume.
#ifndef QUERN_BASE_RNG_H_
#define QUERN_BASE_RNG_H_

#include <array>
#include <cstdint>

namespace quern {

// What a stream of random numbers is for. Part of the key: two uses of one seed never share numbers.
// Values are recorded by their effects (weights, orders), so they are never renumbered.
enum class RngStream : uint32_t {
  kInit = 1,
  kDropout = 2,
  kDataOrder = 3,
  kSampling = 4,
  kSplit = 5,
  kResampling = 6,
  kTest = 99
};

struct RngKey {
  uint64_t seed = 0;
  RngStream stream = RngStream::kTest;
};

using Philox4 = std::array<uint32_t, 4>;

// The ten rounds. `counter` and `key` as in the paper's known-answer tests.
inline Philox4 Philox4x32(Philox4 counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    uint64_t p0 = uint64_t{0xD2511F53u} * counter[0], p1 = uint64_t{0xCD9E8D57u} * counter[2];
    counter = {static_cast<uint32_t>(p1 >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(p1),
               static_cast<uint32_t>(p0 >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(p0)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

// The key of the rounds: mixes the 64-bit seed with the stream, so that all 64 bits of the seed matter.
inline std::array<uint32_t, 2> KeyWords(RngKey key) {
  return {static_cast<uint32_t>(key.seed) ^ (static_cast<uint32_t>(key.stream) * 0x85EBCA6Bu),
          static_cast<uint32_t>(key.seed >> 32)};
}

// Four words for counter = (step, micro_batch, element / 4): `element` counts values drawn within (step, micro_batch).
inline Philox4 RandomWords(RngKey key, uint32_t step, uint32_t micro_batch, uint64_t group) {
  return Philox4x32({static_cast<uint32_t>(group), static_cast<uint32_t>(group >> 32), step, micro_batch},
                    KeyWords(key));
}

// Uniform in [0, 1), 24 bits.
inline float UniformFloat(uint32_t word) { return static_cast<float>(word >> 8) * 0x1p-24f; }

// Uniform in [0, 1), 53 bits.
inline double UniformDouble(uint32_t high, uint32_t low) {
  return static_cast<double>(((uint64_t{high} << 32) | low) >> 11) * 0x1p-53;
}

}  // namespace quern

#endif  // QUERN_BASE_RNG_H_
