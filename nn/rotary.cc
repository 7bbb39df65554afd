#include "nn/rotary.h"

#include <algorithm>
#include <cmath>

namespace quern::nn {
namespace {

double Llama3(double frequency, const RopeScaling& s) {
  double wavelength = 2 * 3.14159265358979323846 / frequency;
  double original = s.original_max_position_embeddings();
  if (wavelength < original / s.high_freq_factor()) return frequency;
  if (wavelength > original / s.low_freq_factor()) return frequency / s.factor();
  double blend = (original / wavelength - s.low_freq_factor()) / (s.high_freq_factor() - s.low_freq_factor());
  return (1 - blend) * frequency / s.factor() + blend * frequency;
}

}  // namespace

std::vector<double> RotaryFrequencies(int64_t head_dim, double theta, const RopeScaling& scaling) {
  std::vector<double> frequencies;
  for (int64_t i = 0; i < head_dim / 2; ++i) {
    double frequency = std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim));
    if (scaling.rope_type() == "linear") frequency /= scaling.factor();
    if (scaling.rope_type() == "llama3") frequency = Llama3(frequency, scaling);
    frequencies.push_back(frequency);
  }
  return frequencies;
}

const RopeTable& Rotary::Table(std::span<const int32_t> positions) {
  int64_t needed = 1;
  for (int32_t position : positions) needed = std::max<int64_t>(needed, int64_t{position} + 1);
  if (needed > size_) {
    size_ = std::max<int64_t>({needed, 2 * size_, 512});
    table_ = MakeRopeTable(size_, frequencies_);
  }
  return table_;
}

}  // namespace quern::nn
