#include "nn/models/config_fields.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status_macros.h"

namespace quern {

void FieldChecks::Int(std::string_view field, int64_t value, int64_t min, int64_t max) {
  if (!status_.ok() || (value >= min && value <= max)) return;
  status_ = absl::InvalidArgumentError(
      absl::StrCat("model config: ", std::string(field), " is ", value, "; it must be in [", min, ", ", max, "]."));
}

void FieldChecks::Number(std::string_view field, double value, double min, double max, bool closed) {
  if (!status_.ok() || (std::isfinite(value) && (value > min || (closed && value == min)) && value < max)) return;
  status_ = absl::InvalidArgumentError(absl::StrCat("model config: ", std::string(field), " is ", value,
                                                    "; it must be in ", closed ? "[" : "(", min, ", ", max, ")."));
}

void FieldChecks::That(bool holds, std::string_view otherwise) {
  if (status_.ok() && !holds)
    status_ = absl::InvalidArgumentError(absl::StrCat("model config: ", std::string(otherwise)));
}

absl::StatusOr<int64_t> ConfigInt(const Json& json, std::string_view field, std::string_view alias, int64_t max,
                                  int64_t fallback) {
  auto found = json.find(std::string(field));
  bool use_alias = (found == json.end() || found->is_null()) && !alias.empty();
  return JsonIntOr(json, use_alias ? alias : field, kConfigJson, 0, max, fallback);
}

absl::Status RefuseUnless(const Json& json, std::string_view field, const Json& neutral, std::string_view why) {
  auto found = json.find(std::string(field));
  if (found == json.end() || found->is_null() || *found == neutral) return absl::OkStatus();
  std::string value = WriteJsonLine(*found);
  if (value.size() > 80) value = absl::StrCat(value.substr(0, 77), "...");
  return absl::InvalidArgumentError(
      absl::StrCat(std::string(kConfigJson), ": ", std::string(field), " is ", value, "; ", std::string(why)));
}

absl::StatusOr<std::vector<int32_t>> ConfigTokenIds(const Json& json, std::string_view field, int64_t vocab_size,
                                                    std::vector<int32_t> fallback) {
  auto found = json.find(std::string(field));
  std::vector<int32_t> ids;
  if (found == json.end()) {
    ids = std::move(fallback);
  } else if (found->is_array()) {
    if (found->size() > 1024)
      return absl::InvalidArgumentError(
          absl::StrCat("config.json: ", std::string(field), " lists more than 1024 ids."));
    for (const Json& id : *found) {
      if (!id.is_number_integer())
        return absl::InvalidArgumentError(absl::StrCat("config.json: ", std::string(field), " must hold token ids."));
      if (id >= 0 && id < vocab_size) ids.push_back(id.get<int32_t>());
    }
  } else if (!found->is_null()) {
    ASSIGN_OR_RETURN(int64_t id, JsonInt(json, field, kConfigJson, -(int64_t{1} << 31), (int64_t{1} << 31) - 1));
    ids.push_back(static_cast<int32_t>(id));
  }
  std::erase_if(ids, [&](int32_t id) { return id < 0 || id >= vocab_size; });
  return ids;
}

Json TokenIdsToJson(int32_t first, const std::vector<int32_t>& more) {
  if (first < 0) return nullptr;
  if (more.empty()) return first;
  Json ids = Json::array({first});
  for (int32_t id : more) ids.push_back(id);
  return ids;
}

void NoteAttentionDropout(const Json& json, std::string_view field) {
  auto found = json.find(std::string(field));
  if (found == json.end() || !found->is_number() || *found == 0) return;
  LOG(INFO) << "config.json: " << field << " " << found->get<double>()
            << " is not applied: attention has no dropout on its probabilities here. It matters in training only.";
}

}  // namespace quern
