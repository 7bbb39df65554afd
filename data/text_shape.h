// What the records of a text are: recognised from its beginning.
//
// Paragraph, where lines are hard-wrapped. Blocks are runs of lines that are not blank. Either
//   prose: at least half of the lines stand in blocks of several; the lines that are not the last of their block are
//   full (with the first word of the next line, three quarters of them would pass nine tenths of the wrap width, which
//   is their 90th percentile, between 40 and 120 characters), and last lines are shorter (at most 0.75 of the mean);
// or
//   verse and dialogue: at least 20 blocks, 2 to 12 lines on average and of varying size, at most one in twenty of a
//   single line, at most one in a hundred followed by two blank lines, and lines of at most 80 characters (90th
//   percentile).
// Everything else is lines. On 18 books by Project Gutenberg nine tenths or more of the lines are full; where a line is
// a sentence or a verse, half at most.
#ifndef QUERN_DATA_TEXT_SHAPE_H_
#define QUERN_DATA_TEXT_SHAPE_H_

#include <string_view>

#include "absl/status/statusor.h"

namespace quern {

enum class TextFormat { kAuto, kText, kJsonl };
enum class RecordUnit { kAuto, kLine, kParagraph, kFile };

// Flag values: "auto", "text", "jsonl"; "auto", "line", "paragraph", "file". InvalidArgument suggests the nearest.
absl::StatusOr<TextFormat> ParseTextFormat(std::string_view name);
absl::StatusOr<RecordUnit> ParseRecordUnit(std::string_view name);
std::string_view TextFormatName(TextFormat format);
std::string_view RecordUnitName(RecordUnit unit);

// kJsonl where the name ends in .jsonl or .ndjson, or the first line that is not blank is a JSON object; else kText.
// `sample` is the file's beginning.
TextFormat DetectFormat(std::string_view file_name, std::string_view sample);

// kParagraph or kLine. `sample` is the text's beginning; a last line that is cut off does not count.
RecordUnit DetectUnit(std::string_view sample);

}  // namespace quern

#endif  // QUERN_DATA_TEXT_SHAPE_H_
