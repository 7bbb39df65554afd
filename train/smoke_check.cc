#include "train/smoke_check.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/status_macros.h"
#include "kernels/global_norm/global_norm.h"
#include "train/corpus.h"

namespace quern {
namespace {

// One sequence of the first ids, at most `block` of them.
TokenBatch FirstWindow(const std::vector<int32_t>& ids, int64_t block) {
  const int64_t length = std::min<int64_t>(block, static_cast<int64_t>(ids.size()) - 1);
  // A shorter sequence is filled up with itself: what is checked is arithmetic, not language.
  std::vector<int32_t> window(static_cast<size_t>(block) + 1);
  for (size_t i = 0; i < window.size(); ++i) window[i] = ids[i % static_cast<size_t>(length + 1)];
  std::span<const int32_t> all = window;
  return {Tensor::Of(all.first(static_cast<size_t>(block)), {block}),
          Tensor::Of(all.last(static_cast<size_t>(block)), {block})};
}

}  // namespace

std::optional<std::string> FindSmokeSet(const std::string& train_file) {
  for (const char* name : {"smoke.txt", "smoke.jsonl"}) {
    std::string path = JoinPath(Dirname(train_file), name);
    if (FileExists(path)) return path;
  }
  return std::nullopt;
}

absl::Status CheckSmokeSet(const std::string& path, const Tokenizer& tokenizer, int64_t block, TrainStep& step) {
  const double start = MonotonicSeconds();
  ASSIGN_OR_RETURN(TextFile text, OpenText(path, "smoke set"));
  std::vector<int32_t> ids;
  RETURN_IF_ERROR(ForEachDocument(text, [&](std::string_view document) -> absl::Status {
    ASSIGN_OR_RETURN(std::vector<int32_t> part, tokenizer.Encode(document));
    ASSIGN_OR_RETURN(std::string back, tokenizer.Decode(part));
    if (back != document) {
      LOG(WARNING) << path << ": the tokenizer does not give the text back byte for byte (it normalises)";
    }
    ids.insert(ids.end(), part.begin(), part.end());
    return absl::OkStatus();
  }));
  if (ids.size() < 2) return absl::OkStatus();
  const double loss = step.Gradients(std::vector<TokenBatch>{FirstWindow(ids, block)});
  const double norm = GlobalNorm(step.gradient());
  if (!std::isfinite(loss) || !std::isfinite(norm)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": the smoke set gives loss ", loss, " and gradient norm ",
                                                      norm, "; the model's weights are damaged, or its config"));
  }
  LOG(INFO) << "smoke set: " << ids.size() << " tokens, loss " << loss << ", gradient norm " << norm << ", in "
            << FormatDuration(MonotonicSeconds() - start);
  return absl::OkStatus();
}

}  // namespace quern
