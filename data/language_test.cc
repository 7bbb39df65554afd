#include "data/language.h"

#include "base/file.h"
#include "base/testing.h"
#include "gtest/gtest.h"

namespace quern {
namespace {

std::string Repeat(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out.append(text).append(" ");
  return out;
}

TEST(Language, FunctionWords) {
  EXPECT_EQ(GuessLanguage(Repeat("The miller carried the sacks of grain to the mill and slept in it.", 8)).code, "en");
  EXPECT_EQ(GuessLanguage(Repeat("Der Müller trug die Säcke mit dem Korn in die Mühle und schlief auf ihnen.", 8)).code,
            "de");
  EXPECT_EQ(GuessLanguage(Repeat("Мельник нёс мешки с зерном на мельницу и спал на них, как он любил.", 8)).code, "ru");
}

TEST(Language, Scripts) {
  EXPECT_EQ(GuessLanguage("방앗간 주인이 곡식 자루를 날랐다").code, "ko");
  EXPECT_EQ(GuessLanguage("粉屋が穀物の袋を運んだ").code, "ja");
  EXPECT_EQ(GuessLanguage("磨坊主搬运粮食").code, "zh");
  EXPECT_EQ(GuessLanguage("ο μυλωνάς").code, "el");
}

TEST(Language, SaysNothingWhereThereIsNothingToSay) {
  EXPECT_EQ(GuessLanguage("").code, "und");
  EXPECT_EQ(GuessLanguage("12345 +-*/").code, "und");
  EXPECT_EQ(GuessLanguage("the cat").code, "und");  // too little
  EXPECT_EQ(GuessLanguage(Repeat("xq zzt prw lorem", 40)).code, "und");
  EXPECT_EQ(GuessLanguage(Repeat("\xFF\xFE", 10)).code, "und");
}

TEST(Language, OutsideTexts) {
  if (FixturesFolder().empty()) GTEST_SKIP() << kNoFixtures;
  auto guess = [&](const std::string& name) {
    auto text = ReadFile(JoinPath(FixturesFolder(), name));
    EXPECT_TRUE(text.ok()) << text.status();
    return GuessLanguage(std::string_view(*text).substr(0, 200000));
  };
  const std::pair<const char*, const char*> kExpected[] = {
      {"corpora/tinyshakespeare.txt", "en"}, {"corpora/gutenberg/les_miserables.txt", "en"},
      {"corpora/botchan.txt", "en"},         {"text/mars_french.utf8.txt", "fr"},
      {"text/mars_chinese.utf8.txt", "und"},  // more markup than Chinese
  };
  for (const auto& [name, code] : kExpected) EXPECT_EQ(guess(name).code, code) << guess(name).evidence;
}

}  // namespace
}  // namespace quern
