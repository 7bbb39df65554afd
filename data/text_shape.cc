#include "data/text_shape.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/json.h"
#include "base/suggest.h"
#include "base/utf8.h"

namespace quern {
namespace {

constexpr char kBlanks[] = " \t\r\v\f";

constexpr std::pair<std::string_view, TextFormat> kFormats[] = {
    {"auto", TextFormat::kAuto}, {"text", TextFormat::kText}, {"jsonl", TextFormat::kJsonl}};
constexpr std::pair<std::string_view, RecordUnit> kUnits[] = {{"auto", RecordUnit::kAuto},
                                                              {"line", RecordUnit::kLine},
                                                              {"paragraph", RecordUnit::kParagraph},
                                                              {"file", RecordUnit::kFile}};

template <typename Table>
auto ParseName(const Table& table, std::string_view flag, std::string_view name)
    -> absl::StatusOr<decltype(table[0].second)> {
  std::vector<std::string> names;
  for (const auto& row : table) {
    if (row.first == name) return row.second;
    names.emplace_back(row.first);
  }
  return absl::InvalidArgumentError(absl::StrCat(std::string(flag), " is one of ", absl::StrJoin(names, ", "),
                                                 "; got \"", std::string(name), "\".", DidYouMean(name, names)));
}

template <typename Table, typename Value>
std::string_view NameOf(const Table& table, Value value) {
  for (const auto& row : table) {
    if (row.second == value) return row.first;
  }
  return "?";
}

// What DetectUnit looks at. Lengths are in characters.
struct Shape {
  int64_t lines = 0, blocks = 0, single_line_blocks = 0, lines_in_larger_blocks = 0;
  double sum_of_squares = 0;   // of the blocks' sizes
  int64_t double_blanks = 0;   // blank lines that follow one, within the text
  std::vector<int64_t> inner;  // lengths of lines that are not the last of their block
  std::vector<int64_t> full;   // the same, with a space and the next line's first word
  int64_t last_lines = 0, last_length = 0;
};

int64_t FirstWord(std::string_view line) {
  line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
  return CountCodePoints(line.substr(0, line.find_first_of(kBlanks)));
}

void AddBlock(const std::vector<std::string_view>& block, Shape* shape) {
  const int64_t size = static_cast<int64_t>(block.size());
  if (size == 0) return;
  shape->lines += size;
  shape->blocks += 1;
  shape->sum_of_squares += static_cast<double>(size * size);
  if (size == 1) {
    shape->single_line_blocks += 1;
    return;
  }
  shape->lines_in_larger_blocks += size;
  for (size_t i = 0; i + 1 < block.size(); ++i) {
    const int64_t length = CountCodePoints(block[i]);
    shape->inner.push_back(length);
    shape->full.push_back(length + 1 + FirstWord(block[i + 1]));
  }
  shape->last_lines += 1;
  shape->last_length += CountCodePoints(block.back());
}

Shape Measure(std::string_view sample) {
  Shape shape;
  std::vector<std::string_view> block;
  bool blank_before = false;
  for (size_t end; (end = sample.find_first_of("\n\r")) != std::string_view::npos;) {
    std::string_view line = sample.substr(0, end);
    const bool crlf = sample[end] == '\r' && end + 1 < sample.size() && sample[end + 1] == '\n';
    sample.remove_prefix(end + (crlf ? 2 : 1));
    const size_t last = line.find_last_not_of(kBlanks);
    if (last != std::string_view::npos) {
      block.push_back(line.substr(0, last + 1));
      blank_before = false;
      continue;
    }
    AddBlock(block, &shape);
    block.clear();
    shape.double_blanks += blank_before && shape.blocks > 0;
    blank_before = true;
  }
  AddBlock(block, &shape);
  return shape;
}

int64_t Percentile90(std::vector<int64_t> values) {
  auto at = values.begin() + static_cast<int64_t>(0.9 * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

bool IsWrappedProse(const Shape& shape, int64_t width) {
  if (width < 40 || width > 120 || 2 * shape.lines_in_larger_blocks < shape.lines || shape.blocks < 2) return false;
  int64_t full = 0, total = 0;
  for (int64_t length : shape.full) full += 10 * length >= 9 * width;
  for (int64_t length : shape.inner) total += length;
  const double inner_mean = static_cast<double>(total) / static_cast<double>(shape.inner.size());
  const double last_mean = static_cast<double>(shape.last_length) / static_cast<double>(shape.last_lines);
  return 4 * full >= 3 * static_cast<int64_t>(shape.full.size()) && last_mean <= 0.75 * inner_mean;
}

bool IsVerse(const Shape& shape, int64_t width) {
  const double blocks = static_cast<double>(shape.blocks), mean = static_cast<double>(shape.lines) / blocks;
  const double variance = shape.sum_of_squares / blocks - mean * mean;
  return shape.blocks >= 20 && mean >= 2 && mean <= 12 && variance >= 0.0625 * mean * mean && width <= 80 &&
         20 * shape.single_line_blocks <= shape.blocks && 100 * shape.double_blanks <= shape.blocks;
}

}  // namespace

absl::StatusOr<TextFormat> ParseTextFormat(std::string_view name) { return ParseName(kFormats, "--format", name); }
absl::StatusOr<RecordUnit> ParseRecordUnit(std::string_view name) { return ParseName(kUnits, "--unit", name); }
std::string_view TextFormatName(TextFormat format) { return NameOf(kFormats, format); }
std::string_view RecordUnitName(RecordUnit unit) { return NameOf(kUnits, unit); }

TextFormat DetectFormat(std::string_view file_name, std::string_view sample) {
  for (std::string_view suffix : {".jsonl", ".ndjson"}) {
    if (file_name.size() >= suffix.size() && file_name.substr(file_name.size() - suffix.size()) == suffix) {
      return TextFormat::kJsonl;
    }
  }
  const size_t start = sample.find_first_not_of(" \t\r\n");
  if (start == std::string_view::npos || sample[start] != '{') return TextFormat::kText;
  const size_t end = sample.find('\n', start);
  if (end == std::string_view::npos && sample.find('\0') != std::string_view::npos) return TextFormat::kText;
  auto object = ParseJson(sample.substr(start, end == std::string_view::npos ? end : end - start), "first line");
  return object.ok() && object->is_object() ? TextFormat::kJsonl : TextFormat::kText;
}

RecordUnit DetectUnit(std::string_view sample) {
  const Shape shape = Measure(sample);
  if (shape.inner.empty()) return RecordUnit::kLine;
  const int64_t width = Percentile90(shape.inner);
  return IsWrappedProse(shape, width) || IsVerse(shape, width) ? RecordUnit::kParagraph : RecordUnit::kLine;
}

}  // namespace quern
