// JSON: nlohmann-json behind a strict parser.
//
// ParseJson refuses what nlohmann lets pass: duplicate keys (it keeps the last), invalid UTF-8, nesting above 100, trailing
// bytes. Errors name the byte offset. Nothing throws. WriteJson is the one writer of artefacts: sorted keys (std::map order),
// shortest round-trip numbers, two-space indent, final newline; NaN and infinities become null.
#ifndef QUERN_BASE_JSON_H_
#define QUERN_BASE_JSON_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace quern {

using Json = nlohmann::json;

// `what` names the source in errors ("config.json", "request body").
absl::StatusOr<Json> ParseJson(std::string_view text, std::string_view what, int max_depth = 100);

// ReadFile and ParseJson.
absl::StatusOr<Json> ReadJsonFile(const std::string& path, uint64_t max_bytes = uint64_t{1} << 30);

// Indented, for files. Invalid UTF-8 in strings is replaced by U+FFFD.
std::string WriteJson(const Json& value);
// One line, for JSON lines and HTTP.
std::string WriteJsonLine(const Json& value);

// Typed reads from an object, with errors that name `what` and the field. Missing fields give `fallback` or, without one,
// InvalidArgument. A number with a fraction is not an integer; a number out of range is refused.
absl::StatusOr<int64_t> JsonInt(const Json& object, std::string_view field, std::string_view what, int64_t min, int64_t max);
absl::StatusOr<int64_t> JsonIntOr(const Json& object, std::string_view field, std::string_view what, int64_t min, int64_t max, int64_t fallback);
absl::StatusOr<double> JsonNumber(const Json& object, std::string_view field, std::string_view what);
absl::StatusOr<double> JsonNumberOr(const Json& object, std::string_view field, std::string_view what, double fallback);
absl::StatusOr<std::string> JsonString(const Json& object, std::string_view field, std::string_view what);
absl::StatusOr<std::string> JsonStringOr(const Json& object, std::string_view field, std::string_view what, std::string_view fallback);
absl::StatusOr<bool> JsonBoolOr(const Json& object, std::string_view field, std::string_view what, bool fallback);

}  // namespace quern

#endif  // QUERN_BASE_JSON_H_
