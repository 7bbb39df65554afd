#include "eval/rouge.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/status_macros.h"
#include "base/thread_pool.h"

namespace quern {
namespace {

using Ids = std::vector<int32_t>;

constexpr double kMaxTextCells = 0x1p36, kMaxLineCells = 0x1p28;

// Words as numbers, the same in reference and prediction.
class Words {
 public:
  Ids Of(std::string_view text, Stemmer stemmer) {
    Ids ids;
    for (std::string& word : RougeTokens(text, stemmer)) {
      ids.push_back(ids_.try_emplace(std::move(word), static_cast<int32_t>(ids_.size())).first->second);
    }
    return ids;
  }
  size_t size() const { return ids_.size(); }

 private:
  std::unordered_map<std::string, int32_t> ids_;
};

RougeScore ScoreOf(size_t hits, size_t predicted, size_t wanted) {
  RougeScore score;
  if (predicted > 0) score.precision = static_cast<double>(hits) / static_cast<double>(predicted);
  if (wanted > 0) score.recall = static_cast<double>(hits) / static_cast<double>(wanted);
  const double sum = score.precision + score.recall;
  if (sum > 0) score.fmeasure = 2 * score.precision * score.recall / sum;
  return score;
}

std::map<Ids, size_t> CountNGrams(const Ids& ids, size_t n) {
  std::map<Ids, size_t> counts;
  for (size_t i = 0; i + n <= ids.size(); ++i) ++counts[Ids(ids.begin() + i, ids.begin() + i + n)];
  return counts;
}

RougeScore RougeN(const Ids& reference, const Ids& prediction, size_t n) {
  const std::map<Ids, size_t> wanted = CountNGrams(reference, n);
  size_t hits = 0;
  for (const auto& [ngram, count] : CountNGrams(prediction, n)) {
    if (auto it = wanted.find(ngram); it != wanted.end()) hits += std::min(count, it->second);
  }
  auto total = [n](const Ids& ids) { return ids.size() < n ? 0 : ids.size() - n + 1; };
  return ScoreOf(hits, total(prediction), total(reference));
}

size_t LcsLength(const Ids& a, const Ids& b) {
  std::vector<uint32_t> row(b.size() + 1, 0);
  for (int32_t token : a) {
    uint32_t diagonal = 0;
    for (size_t j = 1; j <= b.size(); ++j) {
      const uint32_t above = row[j];
      row[j] = token == b[j - 1] ? diagonal + 1 : std::max(above, row[j - 1]);
      diagonal = above;
    }
  }
  return row.back();
}

// Marks in `marks` the tokens of `reference` that belong to one longest common subsequence. There may be several; which
// one decides the union, so the way back is that of ROUGE-1.5.5: up where both ways are as long.
void MarkLcs(const Ids& reference, const Ids& prediction, std::vector<bool>& marks) {
  enum Way : uint8_t { kUp, kLeft, kDiagonal };
  const size_t columns = prediction.size();
  std::vector<uint8_t> ways(reference.size() * columns);
  std::vector<uint32_t> row(columns + 1, 0);
  for (size_t i = 0; i < reference.size(); ++i) {
    uint32_t diagonal = 0;
    for (size_t j = 1; j <= columns; ++j) {
      const uint32_t above = row[j];
      if (reference[i] == prediction[j - 1]) {
        row[j] = diagonal + 1;
        ways[i * columns + j - 1] = kDiagonal;
      } else {
        ways[i * columns + j - 1] = row[j - 1] > above ? kLeft : kUp;
        row[j] = std::max(above, row[j - 1]);
      }
      diagonal = above;
    }
  }
  for (size_t i = reference.size(), j = columns; i > 0 && j > 0;) {
    const uint8_t way = ways[(i - 1) * columns + j - 1];
    if (way == kDiagonal) marks[i - 1] = true;
    if (way != kLeft) --i;
    if (way != kUp) --j;
  }
}

std::vector<Ids> LinesOf(std::string_view text, Stemmer stemmer, Words& words) {
  std::vector<Ids> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    if (end > begin) lines.push_back(words.Of(text.substr(begin, end - begin), stemmer));
    begin = end + 1;
  }
  return lines;
}

absl::Status CheckCells(size_t reference, size_t prediction, double limit, std::string_view what) {
  if (static_cast<double>(reference) * static_cast<double>(prediction) <= limit) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("two ", std::string(what), " of ", reference, " and ", prediction,
                                                 " tokens are too long for ROUGE-L; cut them into records"));
}

absl::StatusOr<RougeScore> RougeLsum(std::string_view reference, std::string_view prediction, Stemmer stemmer) {
  Words words;
  const std::vector<Ids> wanted = LinesOf(reference, stemmer, words), given = LinesOf(prediction, stemmer, words);
  std::vector<size_t> left_wanted(words.size()), left_given(words.size());
  size_t total_wanted = 0, total_given = 0, hits = 0;
  auto count = [](const std::vector<Ids>& lines, std::vector<size_t>& left, size_t& total) {
    for (const Ids& line : lines) {
      total += line.size();
      for (int32_t id : line) ++left[static_cast<size_t>(id)];
    }
  };
  count(wanted, left_wanted, total_wanted);
  count(given, left_given, total_given);
  for (const Ids& line : wanted) {
    std::vector<bool> marks(line.size());
    for (const Ids& other : given) {
      RETURN_IF_ERROR(CheckCells(line.size(), other.size(), kMaxLineCells, "lines"));
      MarkLcs(line, other, marks);
    }
    for (size_t i = 0; i < line.size(); ++i) {
      const size_t id = static_cast<size_t>(line[i]);
      if (!marks[i] || left_wanted[id] == 0 || left_given[id] == 0) continue;
      ++hits, --left_wanted[id], --left_given[id];
    }
  }
  return ScoreOf(hits, total_given, total_wanted);
}

// The two letters whose lower case is ASCII though they are not: the Kelvin sign, and the capital I with a dot.
char AsciiOf(std::string_view text, size_t* at) {
  const std::string_view rest = text.substr((*at)++);
  if (rest.starts_with("\xE2\x84\xAA")) return *at += 2, 'k';
  if (rest.starts_with("\xC4\xB0")) return 'i';  // its second byte, a separator, stands for the dot
  return rest[0] >= 'A' && rest[0] <= 'Z' ? static_cast<char>(rest[0] - 'A' + 'a') : rest[0];
}

}  // namespace

std::vector<std::string> RougeTokens(std::string_view text, Stemmer stemmer) {
  std::vector<std::string> tokens;
  std::string token;
  auto finish = [&] {
    if (token.empty()) return;
    tokens.push_back(stemmer == Stemmer::kPorter && token.size() > 3 ? PorterStem(token) : token);
    token.clear();
  };
  for (size_t at = 0; at < text.size();) {
    const char c = AsciiOf(text, &at);
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
      token.push_back(c);
    } else {
      finish();
    }
  }
  finish();
  return tokens;
}

absl::StatusOr<RougeScores> Rouge(std::string_view reference, std::string_view prediction, Stemmer stemmer) {
  Words words;
  const Ids wanted = words.Of(reference, stemmer), given = words.Of(prediction, stemmer);
  RETURN_IF_ERROR(CheckCells(wanted.size(), given.size(), kMaxTextCells, "texts"));
  RougeScores scores;
  scores.rouge1 = RougeN(wanted, given, 1);
  scores.rouge2 = RougeN(wanted, given, 2);
  scores.rougeL = ScoreOf(LcsLength(wanted, given), given.size(), wanted.size());
  ASSIGN_OR_RETURN(scores.rougeLsum, RougeLsum(reference, prediction, stemmer));
  return scores;
}

absl::StatusOr<std::vector<RougeScores>> RougeOfRecords(const std::vector<std::string>& references,
                                                        const std::vector<std::string>& predictions, Stemmer stemmer) {
  CHECK_EQ(references.size(), predictions.size());
  const int64_t records = static_cast<int64_t>(references.size());
  std::vector<absl::StatusOr<RougeScores>> scores(references.size(), RougeScores());
  Progress progress("rouge", records, "records");
  constexpr int64_t kTogether = 256;
  for (int64_t first = 0; first < records; first += kTogether) {
    if (Interrupted()) return absl::CancelledError("interrupted; nothing was written");
    const int64_t count = std::min(kTogether, records - first);
    ParallelFor(count, 1, [&](int64_t begin, int64_t end) {
      for (size_t i = static_cast<size_t>(first + begin); i < static_cast<size_t>(first + end); ++i) {
        scores[i] = Rouge(references[i], predictions[i], stemmer);
      }
    });
    progress.Update(first + count);
  }
  std::vector<RougeScores> result;
  for (size_t i = 0; i < scores.size(); ++i) {
    if (!scores[i].ok()) {
      return absl::InvalidArgumentError(absl::StrCat("record ", i + 1, ": ", scores[i].status().message()));
    }
    result.push_back(*scores[i]);
  }
  return result;
}

RougeScores MeanRouge(const std::vector<RougeScores>& records) {
  const double count = static_cast<double>(records.size());
  RougeScores mean;
  auto add = [count](RougeScore& sum, const RougeScore& score) {
    sum.precision += score.precision / count;
    sum.recall += score.recall / count;
    sum.fmeasure += score.fmeasure / count;
  };
  for (const RougeScores& scores : records) {
    add(mean.rouge1, scores.rouge1);
    add(mean.rouge2, scores.rouge2);
    add(mean.rougeL, scores.rougeL);
    add(mean.rougeLsum, scores.rougeLsum);
  }
  return mean;
}

}  // namespace quern
