#include "eval/perplexity.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/status_macros.h"
#include "eval/units.h"
#include "eval/windows.h"
#include "kernels/cross_entropy/cross_entropy.h"
#include "nn/score/score.h"
#include "tensor/memory.h"

namespace quern {
namespace {

constexpr int64_t kDefaultContext = 4096;
// Rows of a forward call: enough to keep the products large. Part of the definition only in so far as sums are taken
// call by call; so it is no option.
constexpr int64_t kRowsPerCall = 2048;

absl::StatusOr<PerplexityOptions> Resolve(const LanguageModel& model, PerplexityOptions options) {
  const int64_t positions = model.max_positions();
  if (options.context == 0) options.context = std::min(positions, kDefaultContext);
  if (options.context < 1 || options.context > positions) {
    return absl::InvalidArgumentError(
        absl::StrCat("context: from 1 to the model's ", positions, " positions, not ", options.context));
  }
  if (options.mode != PerplexityMode::kStrided) {
    options.stride = options.context;
  } else if (options.stride == 0) {
    options.stride = std::max<int64_t>(1, options.context / 2);
  }
  if (options.stride < 1 || options.stride > options.context) {
    return absl::InvalidArgumentError(
        absl::StrCat("stride: from 1 to the context of ", options.context, " tokens, not ", options.stride));
  }
  return options;
}

absl::Status CheckTokens(const LanguageModel& model, const Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
  auto unknown = std::find_if(ids.begin(), ids.end(), [&](int32_t id) { return id >= model.vocab_size(); });
  if (unknown == ids.end()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the tokenizer gives token ", *unknown, ", the model knows ",
                                                 model.vocab_size(), " tokens; this tokenizer.json (",
                                                 tokenizer.vocab_size(), " tokens) does not belong to the model"));
}

// Sums the windows' losses; as many of equal length as make a good batch go through the model together.
class WindowScorer {
 public:
  WindowScorer(LanguageModel& model, int64_t asked) : model_(model), progress_("eval", asked, "tokens") {}

  absl::Status Add(const std::vector<int32_t>& ids, const std::vector<Window>& windows) {
    for (size_t begin = 0, end; begin < windows.size(); begin = end) {
      const int64_t inputs = windows[begin].inputs();
      const size_t together = static_cast<size_t>(std::max<int64_t>(1, kRowsPerCall / inputs));
      end = begin + 1;
      while (end < windows.size() && end - begin < together && windows[end].inputs() == inputs) ++end;
      if (Interrupted()) return absl::CancelledError("interrupted; nothing was written");
      RETURN_IF_ERROR(AddBatch(ids, {windows.data() + begin, end - begin}));
    }
    return absl::OkStatus();
  }

  double nats() const { return sum_.nats; }
  // Of every token asked for, in order.
  const std::vector<float>& losses() const { return losses_; }

 private:
  absl::Status AddBatch(const std::vector<int32_t>& ids, std::span<const Window> windows) {
    std::vector<int32_t> inputs, targets;
    for (const Window& window : windows) {
      inputs.insert(inputs.end(), ids.begin() + window.begin, ids.begin() + window.end - 1);
      targets.insert(targets.end(), static_cast<size_t>(window.first - 1 - window.begin), kIgnoreTarget);
      targets.insert(targets.end(), ids.begin() + window.first, ids.begin() + window.end);
    }
    const int64_t rows = static_cast<int64_t>(inputs.size()), count = static_cast<int64_t>(windows.size());
    // Twice: the logits, and what computing them takes.
    RETURN_IF_ERROR(MemoryBudget::Reserve(2 * rows * model_.vocab_size() * SizeOf(DType::kF32), Cpu(),
                                          "logits of a window; a smaller context takes less"));
    const LossSum sum =
        EvaluateWindows(model_, Tensor::Of(inputs, {rows}), Tensor::Of(targets, {rows}), rows / count, count, &losses_);
    sum_.nats += sum.nats;
    sum_.tokens += sum.tokens;
    progress_.Update(sum_.tokens, absl::StrCat("loss ", sum_.nats / static_cast<double>(sum_.tokens)));
    return absl::OkStatus();
  }

  LanguageModel& model_;
  Progress progress_;
  LossSum sum_;
  std::vector<float> losses_;
};

// Perplexity::stretches. `nats` is what all tokens cost but the first, if `first` is what that one costs by itself.
std::vector<double> Stretches(const Tokenizer& tokenizer, const std::vector<int32_t>& ids, std::optional<double> first,
                              const std::vector<float>& nats, int64_t bytes) {
  constexpr int64_t kLeastBytes = 64;
  double length = 0;
  for (int32_t id : ids) length += static_cast<double>(tokenizer.TokenBytes(id).size());
  const size_t count = static_cast<size_t>(std::clamp<int64_t>(bytes / kLeastBytes, 1, kMostUnits));
  std::vector<double> stretches(count, 0.0);
  double at = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    const double cost = !first.has_value() ? nats[i] : i == 0 ? *first : nats[i - 1];
    const size_t stretch = length > 0 ? static_cast<size_t>(at / length * static_cast<double>(count)) : 0;
    stretches[std::min(stretch, count - 1)] += cost;
    at += static_cast<double>(tokenizer.TokenBytes(ids[i]).size());
  }
  for (double& stretch : stretches) stretch *= static_cast<double>(count) / static_cast<double>(bytes) / std::log(2.0);
  return stretches;
}

}  // namespace

double Perplexity::perplexity() const { return std::exp(loss()); }
double Perplexity::word_perplexity() const { return std::exp(nats / static_cast<double>(words)); }
double Perplexity::byte_perplexity() const { return std::exp(nats / static_cast<double>(bytes)); }
double Perplexity::bits_per_byte() const { return nats / static_cast<double>(bytes) / std::log(2.0); }

absl::StatusOr<Perplexity> MeasurePerplexity(LanguageModel& model, const Tokenizer& tokenizer, const EvalText& text,
                                             const PerplexityOptions& options) {
  CHECK(!text.ids.empty()) << "MeasurePerplexity: a text with tokens";
  ASSIGN_OR_RETURN(const PerplexityOptions used, Resolve(model, options));
  std::vector<int32_t> ids = text.ids;
  RETURN_IF_ERROR(CheckTokens(model, tokenizer, ids));
  Perplexity result;
  result.mode = used.mode;
  result.context = used.context;
  result.stride = used.stride;
  result.tokens = static_cast<int64_t>(ids.size());
  result.words = text.words;
  result.bytes = text.bytes;

  std::optional<int32_t> prefix = tokenizer.bos_id().has_value() ? tokenizer.bos_id() : tokenizer.eos_id();
  if (prefix.has_value() && *prefix >= model.vocab_size()) prefix.reset();
  WindowScorer scorer(model, result.tokens - (prefix.has_value() ? 0 : 1));
  if (!prefix.has_value()) {
    result.first_token = "uniform";
    result.nats = std::log(static_cast<double>(model.vocab_size()));
  } else {
    result.first_token = tokenizer.bos_id().has_value() ? "bos" : "eos";
    if (used.mode == PerplexityMode::kStrided) {
      RETURN_IF_ERROR(scorer.Add({*prefix, ids[0]}, {{0, 2, 1}}));
    } else {
      ids.insert(ids.begin(), *prefix);
    }
  }
  const int64_t length = static_cast<int64_t>(ids.size());
  RETURN_IF_ERROR(scorer.Add(ids, CutWindows(length, used.mode, used.context, used.stride)));
  const std::optional<double> first = prefix.has_value() ? std::nullopt : std::optional<double>(result.nats);
  result.nats += scorer.nats();
  result.stretches = Stretches(tokenizer, text.ids, first, scorer.losses(), text.bytes);
  return result;
}

}  // namespace quern
