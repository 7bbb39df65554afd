// JSON: nlohmann-json behind a strict parser.
//
// ParseJson accepts RFC 8259 and nothing else, and refuses what nlohmann lets pass: duplicate keys (it keeps the last),
// a NUL byte as the end of the text, and nesting above `max_depth`; also invalid UTF-8, lone surrogates, numbers beyond
// f64 and trailing bytes. Integers beyond 64 bits are read as f64. Errors are InvalidArgument and name the byte offset.
// Nothing throws, nothing recurses on input. WriteJson is the one writer of artefacts: sorted keys (by byte value),
// two-space indent, final newline; numbers are written so that they read back as the same bits (Grisu2: the shortest
// such text but for rare cases of one digit more); NaN and infinities become null. Writing what was parsed from written
// text gives the same bytes.
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

// RFC 8259 only advises against duplicate keys; readers that disagree on which one counts are how checks are bypassed.
enum class DuplicateKeys { kRefuse, kKeepLast };

// `what` names the source in errors ("config.json", "request body").
absl::StatusOr<Json> ParseJson(std::string_view text, std::string_view what, int max_depth = 100,
                               DuplicateKeys duplicates = DuplicateKeys::kRefuse);

// ReadFile and ParseJson; errors name the path.
absl::StatusOr<Json> ReadJsonFile(const std::string& path, uint64_t max_bytes = uint64_t{1} << 30);

// Indented, for files. Invalid UTF-8 in strings is replaced by U+FFFD.
std::string WriteJson(const Json& value);
// One line, for JSON lines and HTTP.
std::string WriteJsonLine(const Json& value);

// Typed reads from an object, with errors (InvalidArgument) that name `what` and the field. A field that is missing or
// null gives `fallback` or, without one, an error that suggests the nearest field there is. An integer may be written
// with an exponent or a zero fraction (1e3, 2.0); any other fraction is refused, and so is a number outside [min, max].
absl::StatusOr<int64_t> JsonInt(const Json& object, std::string_view field, std::string_view what, int64_t min,
                                int64_t max);
absl::StatusOr<int64_t> JsonIntOr(const Json& object, std::string_view field, std::string_view what, int64_t min,
                                  int64_t max, int64_t fallback);
absl::StatusOr<double> JsonNumber(const Json& object, std::string_view field, std::string_view what);
absl::StatusOr<double> JsonNumberOr(const Json& object, std::string_view field, std::string_view what, double fallback);
absl::StatusOr<std::string> JsonString(const Json& object, std::string_view field, std::string_view what);
absl::StatusOr<std::string> JsonStringOr(const Json& object, std::string_view field, std::string_view what,
                                         std::string_view fallback);
absl::StatusOr<bool> JsonBoolOr(const Json& object, std::string_view field, std::string_view what, bool fallback);

}  // namespace quern

#endif  // QUERN_BASE_JSON_H_
