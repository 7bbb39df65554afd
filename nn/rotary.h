// Rotary positions of a model: its frequencies, and a table that grows as longer sequences come.
#ifndef QUERN_NN_ROTARY_H_
#define QUERN_NN_ROTARY_H_

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/rope/rope.h"
#include "nn/model_config.pb.h"

namespace quern::nn {

// theta^(-2i/D) for i in [0, D/2), scaled:
//
//   default   unchanged
//   linear    divided by `factor` (Chen et al., "Extending Context Window of Large Language Models via Positional
//             Interpolation", 2023)
//   llama3    wavelengths above original/low_freq_factor divided by `factor`, those below original/high_freq_factor
//             unchanged, a linear blend of both between (Llama 3.1, 2024)
std::vector<double> RotaryFrequencies(int64_t head_dim, double theta, const RopeScaling& scaling);

// Entries depend on their position alone, so a table that grows never changes what it held. Not thread-safe.
class Rotary {
 public:
  Rotary() = default;
  explicit Rotary(std::vector<double> frequencies) : frequencies_(std::move(frequencies)) {}

  // A table that holds all of `positions`.
  const RopeTable& Table(std::span<const int32_t> positions);

 private:
  std::vector<double> frequencies_;
  int64_t size_ = 0;
  RopeTable table_;
};

}  // namespace quern::nn

#endif  // QUERN_NN_ROTARY_H_
