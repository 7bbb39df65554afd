// The JSON reader that files, requests and JSON lines share, and the line editor that stands on it.
#include <cstdint>
#include <string>

#include "base/json.h"
#include "base/log.h"
#include "data/json_line.h"
#include "data/text_shape.h"

namespace quern {
namespace {

// What was accepted reads back as the same value, written either way.
void CheckRoundTrip(const Json& value) {
  for (const std::string& text : {WriteJsonLine(value), WriteJson(value)}) {
    auto again = ParseJson(text, "written");
    CHECK_OK(again.status()) << text;
    CHECK(*again == value) << text;
    CHECK_EQ(WriteJsonLine(*again), WriteJsonLine(value));
  }
}

void CheckLine(std::string_view line) {
  auto parsed = ParseJsonLine(line, "line");
  if (!parsed.ok()) return;
  CHECK(parsed->begin < parsed->end && parsed->end < line.size());
  CHECK(ParseJson(line.substr(parsed->begin, parsed->end - parsed->begin), "literal").value() == parsed->text);
  // Another text in its place is found there, and putting the first one back changes nothing else.
  std::string other;
  AppendWithText(line, *parsed, "say \"\xC3\xA9\"\n", &other);
  auto edited = ParseJsonLine(other, "edited");
  CHECK_OK(edited.status()) << other;
  CHECK_EQ(edited->text, "say \"\xC3\xA9\"\n");
  CHECK_EQ(edited->begin, parsed->begin);
  CHECK(line.substr(0, parsed->begin) == std::string_view(other).substr(0, edited->begin));
  CHECK(line.substr(parsed->end) == std::string_view(other).substr(edited->end));
}

}  // namespace
}  // namespace quern

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto strict = quern::ParseJson(text, "input");
  auto last = quern::ParseJson(text, "input", 100, quern::DuplicateKeys::kKeepLast);
  CHECK(!strict.ok() || (last.ok() && *last == *strict));
  if (strict.ok()) quern::CheckRoundTrip(*strict);
  quern::CheckLine(text);
  quern::DetectFormat("corpus", text);
  return 0;
}
