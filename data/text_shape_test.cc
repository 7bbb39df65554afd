#include "data/text_shape.h"

#include <string>

#include "base/file.h"
#include "base/testing.h"
#include "gtest/gtest.h"

namespace quern {
namespace {

class Words {
 public:
  std::string Next() {
    static const char* const kWords[] = {"the", "of",   "miller", "stone", "grain", "a",     "turning",
                                         "and", "mill", "water",  "under", "to",    "sacks", "carried"};
    return kWords[Draw(14)];
  }
  uint64_t Draw(uint64_t n) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return (state_ >> 33) % n;
  }
  std::string Sentence(uint64_t least, uint64_t most) {
    std::string line = Next();
    for (uint64_t n = least + Draw(most - least + 1); n > 1; --n) line += " " + Next();
    return line;
  }

 private:
  uint64_t state_ = 5;
};

std::string Wrap(const std::string& text, size_t width) {
  std::string out;
  size_t column = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(' ', at), text.size());
    if (column > 0 && column + 1 + end - at > width) out += '\n', column = 0;
    if (column > 0) out += ' ', ++column;
    out += text.substr(at, end - at);
    column += end - at;
    at = end + 1;
  }
  return out + "\n";
}

TEST(TextShape, WrappedParagraphs) {
  Words words;
  for (int paragraphs : {4, 40, 400}) {
    std::string text, crlf;
    for (int i = 0; i < paragraphs; ++i) text += Wrap(words.Sentence(20, 120), 72) + "\n";
    EXPECT_EQ(DetectUnit(text), RecordUnit::kParagraph) << paragraphs;
    for (char c : text) crlf += c == '\n' ? "\r\n" : std::string(1, c);
    EXPECT_EQ(DetectUnit(crlf), RecordUnit::kParagraph) << paragraphs;
  }
}

TEST(TextShape, Dialogue) {
  Words words;
  std::string text;
  for (int i = 0; i < 100; ++i) {
    text += words.Next() + ":\n";
    for (uint64_t lines = 1 + words.Draw(7); lines > 0; --lines) text += words.Sentence(4, 8) + ",\n";
    text += "\n";
  }
  EXPECT_EQ(DetectUnit(text), RecordUnit::kParagraph);
}

TEST(TextShape, LinesAndSomeBlankOnes) {
  Words words;
  for (uint64_t every : {3, 5, 7, 10, 20, 1000}) {
    std::string regular, irregular, equal;
    for (uint64_t i = 0; i < 2000; ++i) {
      const bool blank = words.Draw(every) == 0;
      regular += i % every == 0 ? "\n" : words.Sentence(3, 20) + ".\n";
      irregular += blank ? "\n" : words.Sentence(3, 20) + ".\n";
      equal +=
          blank ? "\n" : "record " + std::to_string(100000 + i) + " of a set in which each is of the same length\n";
    }
    EXPECT_EQ(DetectUnit(regular), RecordUnit::kLine) << every;
    EXPECT_EQ(DetectUnit(irregular), RecordUnit::kLine) << every;
    EXPECT_EQ(DetectUnit(equal), RecordUnit::kLine) << every;
  }
  EXPECT_EQ(DetectUnit(""), RecordUnit::kLine);
  EXPECT_EQ(DetectUnit("a\nb\n\nc\nd\n"), RecordUnit::kLine);
}

TEST(TextShape, Format) {
  EXPECT_EQ(DetectFormat("a.jsonl", "not JSON"), TextFormat::kJsonl);
  EXPECT_EQ(DetectFormat("a.txt", "\n {\"text\": \"x\"}\nmore"), TextFormat::kJsonl);
  EXPECT_EQ(DetectFormat("a.txt", "{not JSON}\n"), TextFormat::kText);
  EXPECT_EQ(DetectFormat("a.txt", "Plain."), TextFormat::kText);
  EXPECT_EQ(DetectFormat("a.txt", ""), TextFormat::kText);
}

TEST(TextShape, Names) {
  EXPECT_EQ(*ParseRecordUnit("paragraph"), RecordUnit::kParagraph);
  EXPECT_EQ(*ParseTextFormat("jsonl"), TextFormat::kJsonl);
  EXPECT_EQ(RecordUnitName(RecordUnit::kFile), "file");
  EXPECT_EQ(TextFormatName(TextFormat::kText), "text");
  auto unit = ParseRecordUnit("paragraf");
  ASSERT_FALSE(unit.ok());
  EXPECT_NE(unit.status().message().find("Did you mean \"paragraph\"?"), absl::string_view::npos) << unit.status();
}

TEST(TextShape, OutsideBooks) {
  if (FixturesFolder().empty()) GTEST_SKIP() << kNoFixtures;
  const std::string corpora = JoinPath(FixturesFolder(), "corpora");
  auto detect = [](const std::string& path) {
    auto text = ReadFile(path);
    EXPECT_TRUE(text.ok()) << text.status();
    return DetectUnit(std::string_view(*text).substr(0, 1 << 20));
  };
  auto books = ListFolder(JoinPath(corpora, "gutenberg"));
  ASSERT_TRUE(books.ok());
  for (const std::string& book : *books) {
    EXPECT_EQ(detect(JoinPath(JoinPath(corpora, "gutenberg"), book)), RecordUnit::kParagraph) << book;
  }
  EXPECT_EQ(detect(JoinPath(corpora, "war-and-peace.txt")), RecordUnit::kParagraph);
  EXPECT_EQ(detect(JoinPath(corpora, "tinyshakespeare.txt")), RecordUnit::kParagraph);
  EXPECT_EQ(detect(JoinPath(corpora, "frankenstein.txt")), RecordUnit::kLine);  // a paragraph is a line
  EXPECT_EQ(detect(JoinPath(corpora, "the-verdict.txt")), RecordUnit::kLine);
  EXPECT_EQ(detect(JoinPath(corpora, "wikitext-2/valid.txt")), RecordUnit::kLine);
}

}  // namespace
}  // namespace quern
