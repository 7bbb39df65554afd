#include "eval/stemmer.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace quern {
namespace {

using ::testing::HasSubstr;

// Examples of Porter's paper, rule by rule, as far as they go through all five steps unharmed.
TEST(StemmerTest, FollowsThePaper) {
  const std::pair<const char*, const char*> cases[] = {
      {"caresses", "caress"},
      {"ponies", "poni"},
      {"cats", "cat"},
      {"feed", "feed"},
      {"agreed", "agre"},
      {"plastered", "plaster"},
      {"bled", "bled"},
      {"motoring", "motor"},
      {"sing", "sing"},
      {"conflated", "conflat"},
      {"troubled", "troubl"},
      {"sized", "size"},
      {"hopping", "hop"},
      {"falling", "fall"},
      {"hissing", "hiss"},
      {"failing", "fail"},
      {"filing", "file"},
      {"happy", "happi"},
      {"relational", "relat"},
      {"rational", "ration"},
      {"digitizer", "digit"},
      {"radically", "radic"},
      {"vietnamization", "vietnam"},
      {"operator", "oper"},
      {"hopefulness", "hope"},
      {"triplicate", "triplic"},
      {"electricity", "electr"},
      {"replacement", "replac"},
      {"adoption", "adopt"},
      {"bowdlerize", "bowdler"},
      {"rate", "rate"},
      {"cease", "ceas"},
      {"controlling", "control"},
      {"roll", "roll"},
  };
  for (const auto& [word, stem] : cases) EXPECT_EQ(PorterStem(word), stem) << word;
}

// Where NLTK, which rouge_score calls, goes its own way.
TEST(StemmerTest, FollowsNltkWhereItDiffers) {
  const std::pair<const char*, const char*> cases[] = {
      {"dying", "die"},       {"skies", "sky"},   {"innings", "inning"}, {"news", "news"},
      {"proceed", "proceed"}, {"ties", "tie"},    {"died", "die"},       {"spied", "spi"},
      {"dry", "dri"},         {"enjoy", "enjoy"}, {"by", "by"},          {"logi", "logi"},
      {"geologi", "geolog"},  {"is", "is"},       {"usefully", "use"},   {"nationally", "nation"},
  };
  for (const auto& [word, stem] : cases) EXPECT_EQ(PorterStem(word), stem) << word;
}

TEST(StemmerTest, TakesAnyWord) {
  EXPECT_EQ(PorterStem(""), "");
  EXPECT_EQ(PorterStem("2026s"), "2026");
  EXPECT_EQ(PorterStem(std::string(100000, 'y')).size(), 100000u);
}

TEST(StemmerTest, NamesAreParsed) {
  EXPECT_EQ(ParseStemmer("porter").value(), Stemmer::kPorter);
  EXPECT_EQ(ParseStemmer("none").value(), Stemmer::kNone);
  EXPECT_THAT(ParseStemmer("poter").status().message(), HasSubstr("Did you mean \"porter\"?"));
}

}  // namespace
}  // namespace quern
