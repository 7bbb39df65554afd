#include "nn/decode/sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/rng.h"
#include "kernels/softmax/softmax.h"
#include "tensor/tensor.h"

namespace quern {
namespace {

int32_t Greatest(std::span<const float> logits) {
  int32_t best = 0;
  bool found = false;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (std::isnan(logits[i]) || (found && !(logits[i] > logits[static_cast<size_t>(best)]))) continue;
    best = static_cast<int32_t>(i);
    found = true;
  }
  return best;
}

// softmax(logits / temperature). The maximum is taken off in f64 first, so that no temperature overflows; NaN counts as
// -inf.
std::vector<float> Probabilities(std::span<const float> logits, float max, float temperature) {
  Tensor scaled = Tensor::Empty({1, static_cast<int64_t>(logits.size())}, DType::kF32);
  float* z = scaled.mutable_data<float>();
  for (size_t i = 0; i < logits.size(); ++i) {
    double distance = static_cast<double>(logits[i]) - static_cast<double>(max);
    z[i] = std::isnan(distance) ? -INFINITY : static_cast<float>(distance / static_cast<double>(temperature));
  }
  return Softmax(scaled).ToVector<float>();
}

// Ids by falling probability, as many as asked for: the head of the order is sorted in growing pieces, since most draws
// need few of a large vocabulary.
class RankedIds {
 public:
  explicit RankedIds(const std::vector<float>& p) : p_(p), ids_(p.size()) { std::iota(ids_.begin(), ids_.end(), 0); }

  int32_t At(size_t rank) {
    while (rank >= sorted_) {
      size_t end = std::min(ids_.size(), std::max<size_t>(64, sorted_ * 4));
      auto before = [this](int32_t a, int32_t b) { return p_[a] != p_[b] ? p_[a] > p_[b] : a < b; };
      std::partial_sort(ids_.begin() + static_cast<int64_t>(sorted_), ids_.begin() + static_cast<int64_t>(end),
                        ids_.end(), before);
      sorted_ = end;
    }
    return ids_[rank];
  }

 private:
  const std::vector<float>& p_;
  std::vector<int32_t> ids_;
  size_t sorted_ = 0;
};

// Sets the probability of everything outside top-k and top-p to zero.
void Truncate(std::vector<float>& p, int32_t top_k, float top_p) {
  size_t keep = top_k > 0 ? std::min(p.size(), static_cast<size_t>(top_k)) : p.size();
  if (keep == p.size() && top_p >= 1) return;
  RankedIds ranked(p);
  std::vector<float> kept(p.size(), 0.0f);
  double whole = 0;
  if (keep == p.size()) {
    for (float v : p) whole += v;
  } else {
    for (size_t rank = 0; rank < keep; ++rank) whole += p[static_cast<size_t>(ranked.At(rank))];
  }
  double sum = 0;
  for (size_t rank = 0; rank < keep; ++rank) {
    size_t id = static_cast<size_t>(ranked.At(rank));
    kept[id] = p[id];
    sum += p[id];
    if (top_p < 1 && sum >= static_cast<double>(top_p) * whole) break;
  }
  p = std::move(kept);
}

}  // namespace

absl::Status ValidateSampling(const SamplingOptions& options) {
  if (!(options.temperature >= 0 && options.temperature <= 100)) {
    return absl::InvalidArgumentError(
        absl::StrCat("temperature is ", options.temperature, "; it must be in [0, 100]."));
  }
  if (options.top_k < 0)
    return absl::InvalidArgumentError(absl::StrCat("top_k is ", options.top_k, "; it must be 0 (all) or more."));
  if (!(options.top_p > 0 && options.top_p <= 1)) {
    return absl::InvalidArgumentError(absl::StrCat("top_p is ", options.top_p, "; it must be in (0, 1]."));
  }
  return absl::OkStatus();
}

int32_t SampleToken(std::span<const float> logits, const SamplingOptions& options, uint32_t index) {
  int32_t best = Greatest(logits);
  float max = logits[static_cast<size_t>(best)];
  if (options.temperature == 0 || !std::isfinite(max)) return best;
  std::vector<float> p = Probabilities(logits, max, options.temperature);
  Truncate(p, options.top_k, options.top_p);
  double whole = 0;
  for (float v : p) whole += v;
  Philox4 words = RandomWords({options.seed, RngStream::kSampling}, /*step=*/index, /*micro_batch=*/0, /*group=*/0);
  double target = UniformDouble(words[0], words[1]) * whole, sum = 0;
  int32_t last = best;
  for (size_t id = 0; id < p.size(); ++id) {
    if (p[id] == 0) continue;
    sum += p[id];
    last = static_cast<int32_t>(id);
    if (sum > target) break;
  }
  return last;
}

}  // namespace quern
