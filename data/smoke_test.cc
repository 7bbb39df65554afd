#include "data/smoke.h"

#include <algorithm>

#include "gtest/gtest.h"

namespace quern {
namespace {

struct Corpus {
  std::vector<std::string> texts;
  std::vector<IndexedRecord> records;
  std::vector<RecordFate> fates;
};

Corpus Make(std::vector<std::string> texts, const std::array<double, kSplits>& ratios = {.8, .1, .1}) {
  Corpus corpus;
  RecordHasher hasher(0);
  for (const std::string& text : texts) {
    corpus.records.push_back({hasher.Digest(text), static_cast<int64_t>(corpus.records.size())});
  }
  corpus.texts = std::move(texts);
  corpus.fates.resize(corpus.texts.size());
  EXPECT_TRUE(AssignSplits(ratios, false, &corpus.records, &corpus.fates).ok());
  return corpus;
}

std::vector<SmokeSampler::Record> Choose(const Corpus& corpus, bool blank_lines) {
  SmokeSampler sampler(corpus.records, corpus.fates);
  for (size_t i = 0; i < corpus.texts.size(); ++i) sampler.Offer(static_cast<int64_t>(i), corpus.texts[i]);
  return sampler.Choose(blank_lines);
}

int64_t Lines(const std::vector<SmokeSampler::Record>& records, bool blank_lines) {
  int64_t lines = blank_lines ? static_cast<int64_t>(records.size()) - 1 : 0;
  for (const auto& record : records) lines += 1 + std::count(record.text.begin(), record.text.end(), '\n');
  return lines;
}

std::vector<std::string> Texts(int n, int lines) {
  std::vector<std::string> texts;
  for (int i = 0; i < n; ++i) {
    std::string text = "record " + std::to_string(i);
    for (int line = 1; line < lines; ++line) text += "\nline " + std::to_string(line);
    texts.push_back(text);
  }
  return texts;
}

TEST(Smoke, LinesOfTheTrainingSplitInOrder) {
  const Corpus corpus = Make(Texts(1000, 1));
  const auto chosen = Choose(corpus, false);
  EXPECT_EQ(chosen.size(), 32u);
  for (size_t i = 0; i < chosen.size(); ++i) {
    EXPECT_EQ(corpus.fates[static_cast<size_t>(chosen[i].index)], RecordFate::kTrain);
    EXPECT_EQ(chosen[i].text, corpus.texts[static_cast<size_t>(chosen[i].index)]);
    if (i > 0) {
      EXPECT_LT(chosen[i - 1].index, chosen[i].index);
    }
  }
}

TEST(Smoke, TenToFiftyLinesWhateverTheRecords) {
  for (int lines : {1, 2, 3, 5, 8, 20, 45, 50}) {
    const auto chosen = Choose(Make(Texts(400, lines)), true);
    EXPECT_GE(Lines(chosen, true), 10) << lines;
    EXPECT_LE(Lines(chosen, true), 50) << lines;
  }
}

TEST(Smoke, SmallCorporaGiveAllSplits) {
  EXPECT_EQ(Choose(Make(Texts(10, 1)), false).size(), 10u);
  EXPECT_EQ(Choose(Make(Texts(4, 1)), false).size(), 4u);
}

TEST(Smoke, EqualRecordsCountOnce) {
  std::vector<std::string> texts(1000, "the same");
  for (const std::string& text : Texts(40, 1)) texts.push_back(text);
  const auto chosen = Choose(Make(texts), false);
  EXPECT_LE(std::count_if(chosen.begin(), chosen.end(), [](const auto& r) { return r.text == "the same"; }), 1);
}

TEST(Smoke, TheBeginningOfWhatIsTooLong) {
  auto chosen = Choose(Make(Texts(3, 400)), true);
  ASSERT_EQ(chosen.size(), 1u);
  EXPECT_TRUE(chosen[0].cut);
  EXPECT_EQ(Lines(chosen, true), 50);
  std::vector<std::string> wide;
  for (int i = 0; i < 3; ++i) {
    wide.emplace_back();
    for (int k = 0; k < 40000 + i; ++k) wide.back() += "\xC3\xA9";
    wide.back().insert(0, "x");
  }
  chosen = Choose(Make(wide), false);
  ASSERT_EQ(chosen.size(), 1u);
  EXPECT_EQ(chosen[0].text.size(), SmokeSampler::kMostBytes - 1);  // not half a character
}

}  // namespace
}  // namespace quern
