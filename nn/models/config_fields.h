// What the architectures' configs share: bounds of fields, and fields of config.json that are alike in all.
#ifndef QUERN_NN_MODELS_CONFIG_FIELDS_H_
#define QUERN_NN_MODELS_CONFIG_FIELDS_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/json.h"

namespace quern {

// Bounds that keep every product of sizes within 63 bits; far above any model.
inline constexpr int64_t kMaxVocab = int64_t{1} << 24, kMaxPositions = int64_t{1} << 24, kMaxWidth = int64_t{1} << 17,
                         kMaxInner = int64_t{1} << 20, kMaxLayers = int64_t{1} << 12;

// Names of fields in errors stand as "model config" has them, which is as config.json has them.
inline constexpr std::string_view kConfigJson = "config.json";

// A check of a config: the first field that does not fit is what status() says.
class FieldChecks {
 public:
  void Int(std::string_view field, int64_t value, int64_t min, int64_t max);
  // min < value < max, or min <= value < max with `closed`.
  void Number(std::string_view field, double value, double min, double max, bool closed);
  void That(bool holds, std::string_view otherwise);
  absl::Status status() const { return status_; }

 private:
  absl::Status status_;
};

// An integer under `field` or, where that is absent, under `alias` (transformers' attribute_map).
absl::StatusOr<int64_t> ConfigInt(const Json& json, std::string_view field, std::string_view alias, int64_t max,
                                  int64_t fallback);

// OK when the field is absent, null, or equal to `neutral`. Else InvalidArgument: "config.json: FIELD is VALUE; WHY".
absl::Status RefuseUnless(const Json& json, std::string_view field, const Json& neutral, std::string_view why);

// A token id or a list of them (eos_token_id); ids outside [0, vocab_size) can never be met and are left out.
// `fallback` where the field is absent; null means none.
absl::StatusOr<std::vector<int32_t>> ConfigTokenIds(const Json& json, std::string_view field, int64_t vocab_size,
                                                    std::vector<int32_t> fallback);
// null, a number, or a list.
Json TokenIdsToJson(int32_t first, const std::vector<int32_t>& more);

// Says once, at a file's reading, that dropout on attention probabilities is not applied in training.
void NoteAttentionDropout(const Json& json, std::string_view field);

}  // namespace quern

#endif  // QUERN_NN_MODELS_CONFIG_FIELDS_H_
