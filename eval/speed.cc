#include "eval/speed.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "base/status_macros.h"

namespace quern {
namespace {

constexpr int64_t kPromptTokens = 512, kNewTokens = 64, kSamples = 5;

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

absl::StatusOr<Speed> MeasureSpeed(const LanguageModel& model, const SpeedProbe& probe) {
  const int64_t positions = model.max_positions();
  const int64_t length = std::clamp<int64_t>(positions / 2, 1, kPromptTokens);
  const int64_t new_tokens = std::min(kNewTokens, positions - length);
  std::vector<int32_t> prompt;
  for (int64_t i = 0; i < length; ++i) prompt.push_back(static_cast<int32_t>(i * 7919 % model.vocab_size()));

  Speed speed;
  std::vector<double> first, prefill, decode;
  Progress progress("speed", kSamples + 1, "requests");
  for (int64_t i = 0; i <= kSamples; ++i) {
    if (Interrupted()) return absl::CancelledError("interrupted; nothing was written");
    ASSIGN_OR_RETURN(const SpeedSample sample, probe(prompt, static_cast<int32_t>(new_tokens)));
    progress.Update(i + 1);
    if (sample.new_tokens < 2) return absl::InternalError("speed: the model ended its answer after one token");
    if (i == 0) continue;  // pages and packed weights are touched for the first time
    first.push_back(sample.time_to_first_token);
    prefill.push_back(static_cast<double>(sample.prompt_tokens) / sample.time_to_first_token);
    decode.push_back(static_cast<double>(sample.new_tokens - 1) / (sample.seconds - sample.time_to_first_token));
    speed.prompt_tokens = sample.prompt_tokens;
    speed.new_tokens = std::max(speed.new_tokens, sample.new_tokens);
  }
  speed.samples = kSamples;
  speed.time_to_first_token = Median(std::move(first));
  speed.prefill_tokens_per_second = Median(std::move(prefill));
  speed.decode_tokens_per_second = Median(std::move(decode));
  return speed;
}

SpeedProbe GenerateProbe(LanguageModel* model) {
  return [model](const std::vector<int32_t>& prompt, int32_t new_tokens) -> absl::StatusOr<SpeedSample> {
    SpeedSample sample;
    const double start = MonotonicSeconds();
    DecodeRequest request;
    request.prompt = prompt;
    request.max_new_tokens = new_tokens;
    ASSIGN_OR_RETURN(const GenerateResult result, Generate(model, std::move(request), [&](int32_t) {
                       if (sample.time_to_first_token == 0) sample.time_to_first_token = MonotonicSeconds() - start;
                       return true;
                     }));
    sample.seconds = MonotonicSeconds() - start;
    sample.prompt_tokens = static_cast<int64_t>(prompt.size());
    sample.new_tokens = static_cast<int64_t>(result.tokens.size());
    return sample;
  };
}

}  // namespace quern
