#include "eval/rouge.h"

#include "base/file.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace quern {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

RougeScores ScoresOf(std::string_view reference, std::string_view prediction, Stemmer stemmer = Stemmer::kNone) {
  return Rouge(reference, prediction, stemmer).value();
}

void ExpectScore(const RougeScore& score, double precision, double recall, double fmeasure) {
  EXPECT_DOUBLE_EQ(score.precision, precision);
  EXPECT_DOUBLE_EQ(score.recall, recall);
  EXPECT_DOUBLE_EQ(score.fmeasure, fmeasure);
}

TEST(RougeTest, TokensAreRunsOfAsciiLettersAndDigits) {
  EXPECT_THAT(RougeTokens("The Cat's 2 hats,\nin_two", Stemmer::kNone),
              ElementsAre("the", "cat", "s", "2", "hats", "in", "two"));
  EXPECT_THAT(RougeTokens("running runs ran", Stemmer::kPorter), ElementsAre("run", "run", "ran"));
  // Three letters or fewer are not stemmed.
  EXPECT_THAT(RougeTokens("gas its", Stemmer::kPorter), ElementsAre("gas", "its"));
  EXPECT_THAT(RougeTokens("na\xC3\xAFve", Stemmer::kNone), ElementsAre("na", "ve"));
  EXPECT_THAT(RougeTokens("\xE2\x84\xAA \xC4\xB0stanbul", Stemmer::kNone), ElementsAre("k", "i", "stanbul"));
  EXPECT_THAT(RougeTokens(" \n", Stemmer::kNone), IsEmpty());
}

TEST(RougeTest, SmallCases) {
  const RougeScores one = ScoresOf("testing one two", "testing");
  ExpectScore(one.rouge1, 1, 1.0 / 3, 0.5);
  ExpectScore(one.rouge2, 0, 0, 0);
  const RougeScores two = ScoresOf("testing one two", "testing one");
  ExpectScore(two.rouge2, 1, 0.5, 2.0 / 3);
  ExpectScore(two.rougeL, 1, 2.0 / 3, 0.8);
  // A subsequence may have gaps.
  ExpectScore(ScoresOf("testing one two", "testing two").rougeL, 1, 2.0 / 3, 0.8);
  ExpectScore(ScoresOf("testing one two", "testing two").rouge2, 0, 0, 0);
}

// "the" is in the reference twice: no more than two of the prediction's three count.
TEST(RougeTest, HitsAreClipped) {
  ExpectScore(ScoresOf("the cat the dog", "the the the").rouge1, 2.0 / 3, 0.5, 4.0 / 7);
}

TEST(RougeTest, NothingInCommonOrNothingAtAll) {
  for (const char* prediction : {"two", "", "\n", "\xE4\xB8\x80"}) {
    const RougeScores scores = ScoresOf("one", prediction);
    for (const RougeScore& score : {scores.rouge1, scores.rouge2, scores.rougeL, scores.rougeLsum}) {
      ExpectScore(score, 0, 0, 0);
    }
  }
  ExpectScore(ScoresOf("", "one").rougeLsum, 0, 0, 0);
}

// The union of "1 2" and "1 3 5" with the reference line is "1 2 3 5" (Lin 2004, section 3.2).
TEST(RougeTest, SummaryLevelTakesTheUnion) {
  const RougeScores scores = ScoresOf("1 2 3 4 5", "1 2 6 7 8\n1 3 8 9 5");
  ExpectScore(scores.rougeLsum, 0.4, 0.8, 8.0 / 15);
  ExpectScore(scores.rougeL, 0.4, 0.8, 8.0 / 15);
  // Across lines no order is asked for, as it is by rougeL.
  ExpectScore(ScoresOf("a b\nc d", "c d\na b").rougeLsum, 1, 1, 1);
  ExpectScore(ScoresOf("a b\nc d", "c d\na b").rougeL, 0.5, 0.5, 0.5);
  // Two lines of the prediction may not both count the reference's one "x".
  ExpectScore(ScoresOf("x y", "x\nx").rougeLsum, 0.5, 0.5, 0.5);
}

TEST(RougeTest, StemmingBringsFormsTogether) {
  ExpectScore(ScoresOf("he was running", "she runs").rouge1, 0, 0, 0);
  ExpectScore(ScoresOf("he was running", "she runs", Stemmer::kPorter).rouge1, 0.5, 1.0 / 3, 0.4);
}

TEST(RougeTest, MeansAreOverRecords) {
  const RougeScores mean = MeanRouge(
      RougeOfRecords({"goodbye", "general kenobi"}, {"hello goodbye", "ankh morpork"}, Stemmer::kNone).value());
  ExpectScore(mean.rouge1, 0.25, 0.5, 1.0 / 3);
  SimulateInterrupt(2);
  EXPECT_TRUE(absl::IsCancelled(RougeOfRecords({"a"}, {"a"}, Stemmer::kNone).status()));
  SimulateInterrupt(0);
}

TEST(RougeTest, LinesBeyondAllMeasureAreRefused) {
  std::string line;
  for (int i = 0; i < 20000; ++i) line += "a ";
  EXPECT_THAT(RougeOfRecords({"a", line}, {"a", line}, Stemmer::kNone).status().message(),
              HasSubstr("record 2: two lines"));
}

// Scores that ROUGE-1.5.5 gave, to five places.
TEST(RougeTest, AgreesWithRouge155) {
  const std::string fixtures = FixturesFolder();
  if (fixtures.empty()) GTEST_SKIP() << kNoFixtures;
  const Json vectors = ReadJsonFile(JoinPath(fixtures, "eval/rouge155_vectors.json")).value();
  ASSERT_FALSE(vectors["cases"].empty());
  for (const Json& c : vectors["cases"]) {
    const Stemmer stemmer = c["stemmer"].get<bool>() ? Stemmer::kPorter : Stemmer::kNone;
    const RougeScores scores = ScoresOf(c["target"].get<std::string>(), c["prediction"].get<std::string>(), stemmer);
    const std::string type = c["type"].get<std::string>();
    const RougeScore& score = type == "rouge1" ? scores.rouge1 : type == "rouge2" ? scores.rouge2 : scores.rougeL;
    EXPECT_NEAR(score.precision, c["precision"].get<double>(), 5e-6) << type;
    EXPECT_NEAR(score.recall, c["recall"].get<double>(), 5e-6) << type;
    EXPECT_NEAR(score.fmeasure, c["fmeasure"].get<double>(), 5e-6) << type;
  }
}

}  // namespace
}  // namespace quern
