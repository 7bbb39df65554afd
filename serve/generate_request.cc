#include "serve/generate_request.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/suggest.h"

namespace quern {
namespace {

constexpr size_t kMaxStops = 16, kMaxStopBytes = 1024;
constexpr std::string_view kWhat = "request";

const std::vector<std::string>& FieldNames() {
  static const auto* names = new std::vector<std::string>{"prompt", "max_new_tokens", "temperature", "top_k",   "top_p",
                                                          "seed",   "stop",           "stream",      "logprobs"};
  return *names;
}

HttpError BadField(std::string_view field, std::string message) {
  HttpError error;
  error.status = 422;
  error.code = "invalid_field";
  error.field = std::string(field);
  error.message = std::move(message);
  return error;
}

std::optional<HttpError> CheckNames(const Json& json) {
  for (const auto& item : json.items()) {
    const std::vector<std::string>& names = FieldNames();
    if (std::find(names.begin(), names.end(), item.key()) != names.end()) continue;
    std::string name = item.key().substr(0, 80);
    std::string list;
    for (const std::string& known : names) absl::StrAppend(&list, list.empty() ? "" : ", ", known);
    HttpError error = BadField(
        name, absl::StrCat("\"", name, "\" is not a field.", DidYouMean(name, names), " The fields are ", list, "."));
    error.code = "unknown_field";
    return error;
  }
  return std::nullopt;
}

// Assigns `value`, or returns the error.
template <typename From, typename To>
std::optional<HttpError> Take(std::string_view field, const absl::StatusOr<From>& value, To& to) {
  if (!value.ok()) return BadField(field, std::string(value.status().message()));
  to = static_cast<To>(*value);
  return std::nullopt;
}

std::optional<HttpError> TakeNumber(const Json& json, std::string_view field, double fallback, double min, double max,
                                    bool open_min, float& to) {
  auto value = JsonNumberOr(json, field, kWhat, fallback);
  if (value.ok() && (!std::isfinite(*value) || *value < min || *value > max || (open_min && *value == min))) {
    return BadField(field, absl::StrCat(std::string(field), " is ", *value, "; it must be ",
                                        open_min ? "above " : "at least ", min, " and at most ", max, "."));
  }
  auto error = Take(field, value, to);
  // A positive number that rounds to nothing in f32 would mean something else there.
  if (!error && open_min && to <= min) to = std::numeric_limits<float>::min();
  return error;
}

std::optional<HttpError> TakeStop(const Json& json, std::vector<std::string>& stop) {
  auto it = json.find("stop");
  if (it == json.end() || it->is_null()) return std::nullopt;
  std::string expected = absl::StrCat("stop must be a string, or an array of at most ", kMaxStops,
                                      " strings, each of 1 to ", kMaxStopBytes, " bytes.");
  const Json list = it->is_array() ? *it : Json::array({*it});
  if (list.size() > kMaxStops) return BadField("stop", expected);
  for (const Json& item : list) {
    if (!item.is_string()) return BadField("stop", expected);
    std::string text = item.get<std::string>();
    if (text.empty() || text.size() > kMaxStopBytes) return BadField("stop", expected);
    stop.push_back(std::move(text));
  }
  return std::nullopt;
}

std::optional<HttpError> TakeSeed(const Json& json, uint64_t& seed) {
  if (!json.contains("seed") || json["seed"].is_null()) {
    // Below 2^53, so that a browser can show it and send it back.
    std::random_device random;
    seed = ((uint64_t{random()} << 32) | random()) & ((uint64_t{1} << 53) - 1);
    return std::nullopt;
  }
  return Take("seed", JsonInt(json, "seed", kWhat, 0, std::numeric_limits<int64_t>::max()), seed);
}

}  // namespace

std::optional<HttpError> ReadGenerateRequest(std::string_view body, const GenerateDefaults& defaults,
                                             GenerateRequest& request) {
  auto json = ParseJson(body, "The request's body", /*max_depth=*/16);
  if (!json.ok()) return HttpError{400, "malformed_json", absl::StrCat(std::string(json.status().message()), ".")};
  if (!json->is_object()) {
    return HttpError{422, "not_an_object", R"(The body must be an object such as {"prompt": "Once upon a time"}.)"};
  }
  constexpr int64_t kMaxInt = std::numeric_limits<int32_t>::max();
  request = {};
  SamplingOptions& sampling = request.sampling;
  if (auto error = CheckNames(*json)) return error;
  if (auto error = Take("prompt", JsonString(*json, "prompt", kWhat), request.prompt)) return error;
  int64_t max_new_tokens = 0;
  auto wanted = JsonIntOr(*json, "max_new_tokens", kWhat, 1, kMaxInt, 0);
  if (auto error = Take("max_new_tokens", wanted, max_new_tokens)) return error;
  if (max_new_tokens > 0) request.max_new_tokens = static_cast<int32_t>(max_new_tokens);
  if (auto error = TakeNumber(*json, "temperature", defaults.temperature, 0, 100, false, sampling.temperature)) {
    return error;
  }
  if (auto error = TakeNumber(*json, "top_p", defaults.top_p, 0, 1, true, sampling.top_p)) return error;
  auto top_k = JsonIntOr(*json, "top_k", kWhat, 0, kMaxInt, defaults.top_k);
  if (auto error = Take("top_k", top_k, sampling.top_k)) return error;
  if (auto error = TakeSeed(*json, sampling.seed)) return error;
  if (auto error = TakeStop(*json, request.stop)) return error;
  if (auto error = Take("stream", JsonBoolOr(*json, "stream", kWhat, false), request.stream)) return error;
  return Take("logprobs", JsonBoolOr(*json, "logprobs", kWhat, false), request.logprobs);
}

}  // namespace quern
