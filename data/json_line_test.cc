#include "data/json_line.h"

#include "base/file.h"
#include "base/json.h"
#include "base/testing.h"
#include "gtest/gtest.h"

namespace quern {
namespace {

std::string Swap(std::string_view line, std::string_view text) {
  auto parsed = ParseJsonLine(line, "line");
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  std::string out;
  if (parsed.ok()) AppendWithText(line, *parsed, text, &out);
  return out;
}

TEST(JsonLine, OnlyTheTextChanges) {
  EXPECT_EQ(Swap(R"({"text": "a"})", "b"), R"({"text": "b"})");
  EXPECT_EQ(
      Swap(R"( {"id":123456789012345678901234567890 , "x":[{"text":"no"},"}",1e3], "text" :"a\"\\" ,"z":1.0} )",
           "say \"hi\"\n"),
      R"( {"id":123456789012345678901234567890 , "x":[{"text":"no"},"}",1e3], "text" :"say \"hi\"\n" ,"z":1.0} )");
  EXPECT_EQ(Swap(R"({"a":{"b":[]},"c":null,"d":true,"\u0074ext":"a"})", "\xC3\xA9"),
            "{\"a\":{\"b\":[]},\"c\":null,\"d\":true,\"\\u0074ext\":\"\xC3\xA9\"}");
}

TEST(JsonLine, AfterAByteOrderMark) {
  EXPECT_EQ(Swap("\xEF\xBB\xBF{\"text\":\"a\"}", "b"), "\xEF\xBB\xBF{\"text\":\"b\"}");
}

TEST(JsonLine, Unescapes) {
  auto parsed = ParseJsonLine(R"({"text":"\u00e9\ud83d\ude00\t\/"})", "line");
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->text, "\xC3\xA9\xF0\x9F\x98\x80\t/");
}

TEST(JsonLine, Refuses) {
  for (const char* line : {"", "[]", "\"text\"", "{}", R"({"content":"a"})", R"({"text":1})", R"({"text":null})",
                           R"({"text":"a","text":"b"})", R"({"text":"\ud800"})", "{\"text\":\"\xFF\"}",
                           R"({"text":"a")", R"({"text":"a"} {"text":"b"})", R"({"text":NaN})"}) {
    auto parsed = ParseJsonLine(line, "corpus.jsonl line 3");
    ASSERT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument) << line;
    EXPECT_NE(parsed.status().message().find("corpus.jsonl line 3"), absl::string_view::npos) << parsed.status();
  }
}

// The suite as whole lines: what ParseJson refuses is refused here by the same words.
TEST(JsonLine, ReadsAsParseJsonDoes) {
  if (FixturesFolder().empty()) GTEST_SKIP() << kNoFixtures;
  const std::string folder = JoinPath(FixturesFolder(), "negative/json");
  const std::vector<std::string> names = ListFolder(folder).value();
  int refused = 0;
  for (const std::string& name : names) {
    const std::string line = ReadFile(JoinPath(folder, name)).value();
    const absl::Status json = ParseJson(line, name, 100, DuplicateKeys::kKeepLast).status();
    const absl::Status status = ParseJsonLine(line, name).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name << ": none of them has a \"text\"";
    if (json.ok()) continue;
    EXPECT_EQ(status, json) << name;
    ++refused;
  }
  EXPECT_GE(refused, 188);
}

TEST(JsonLine, EachLineInOrder) {
  std::string seen;
  const auto take = [&seen](JsonLine line) {
    seen += line.text + ";";
    return line.text == "stop" ? absl::CancelledError("stop") : absl::OkStatus();
  };
  EXPECT_TRUE(ForEachJsonLine("{\"text\":\"a\"}\r\n \t\r\n\n{\"text\":\"b\"}", "f", take).ok());
  EXPECT_EQ(seen, "a;b;");
  EXPECT_TRUE(ForEachJsonLine("", "f", take).ok());
  EXPECT_TRUE(absl::IsCancelled(ForEachJsonLine("{\"text\":\"stop\"}\n{", "f", take)));
  auto message = [&](std::string_view what) {
    return std::string(ForEachJsonLine("{\"text\":\"a\"}\n\n[]\n", what, take).message());
  };
  EXPECT_EQ(message("f.jsonl").substr(0, 15), "f.jsonl line 3:");
  EXPECT_EQ(message("").substr(0, 7), "line 3:");
}

// Every valid value of the suite as another field: the line comes back as it was but for its text.
TEST(JsonLine, AnyOtherFieldSurvives) {
  if (FixturesFolder().empty()) GTEST_SKIP() << kNoFixtures;
  const std::string folder = JoinPath(FixturesFolder(), "negative/json");
  auto names = ListFolder(folder);
  ASSERT_TRUE(names.ok()) << names.status();
  int values = 0, refused = 0;
  for (const std::string& name : *names) {
    auto value = ReadFile(JoinPath(folder, name));
    ASSERT_TRUE(value.ok());
    if (value->find('\n') != std::string::npos) continue;
    const std::string before = "{\"other\": " + *value + ", \"text\" : ", line = before + "\"a\"}";
    auto parsed = ParseJsonLine(line, name);
    if (name[0] == 'n') {
      EXPECT_FALSE(parsed.ok()) << name;
      ++refused;
    } else if (parsed.ok()) {
      EXPECT_EQ(Swap(line, "b"), before + "\"b\"}") << name;
      ++values;
    } else {
      EXPECT_EQ(name[0], 'i') << parsed.status();
    }
  }
  EXPECT_GT(values, 80);
  EXPECT_GT(refused, 150);
}

}  // namespace
}  // namespace quern
