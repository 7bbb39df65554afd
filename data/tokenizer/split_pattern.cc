#include "data/tokenizer/split_pattern.h"

#include <algorithm>

namespace quern {
namespace {

struct PatternRow {
  SplitPattern pattern;
  std::string_view name;
  // Spellings of the same language to the engine that reads tokenizer.json (Oniguruma); the first is the one written.
  // tiktoken's own of cl100k is not among them: its \\p{N}{1,3}+ is a possessive three digits there, but any number of
  // digits to Oniguruma.
  std::vector<std::string_view> regexes;
};

const std::vector<PatternRow>& Rows() {
  static const auto* rows = new std::vector<PatternRow>{
      {SplitPattern::kGpt2,
       "gpt2",
       {R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)",
        R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)",
        R"('(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s)"}},
      {SplitPattern::kCl100k,
       "cl100k",
       {R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s)"}},
      {SplitPattern::kLlama3,
       "llama3",
       {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
        R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)"}},
      {SplitPattern::kQwen2,
       "qwen2",
       {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"}},
      {SplitPattern::kO200k,
       "o200k",
       {R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"}},
  };
  return *rows;
}

template <SplitPattern kPattern>
void AppendPieces(std::string_view text, std::vector<std::string_view>* pieces) {
  const CharClasses& classes = CharClasses::Get();
  const char* end = text.data() + text.size();
  for (const char* p = text.data(); p < end;) {
    const char* q = PieceEnd<kPattern>(classes, p, end);
    pieces->emplace_back(p, q - p);
    p = q;
  }
}

bool IsAsciiWordByte(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

}  // namespace

std::string_view Name(SplitPattern pattern) {
  for (const PatternRow& row : Rows()) {
    if (row.pattern == pattern) return row.name;
  }
  return "";
}

std::optional<SplitPattern> SplitPatternByName(std::string_view name) {
  for (const PatternRow& row : Rows()) {
    if (row.name == name) return row.pattern;
  }
  return std::nullopt;
}

std::vector<std::string> SplitPatternNames() {
  std::vector<std::string> names;
  for (const PatternRow& row : Rows()) names.emplace_back(row.name);
  return names;
}

std::optional<SplitPattern> SplitPatternByRegex(std::string_view regex) {
  for (const PatternRow& row : Rows()) {
    if (std::find(row.regexes.begin(), row.regexes.end(), regex) != row.regexes.end()) return row.pattern;
  }
  return std::nullopt;
}

std::string_view SplitRegex(SplitPattern pattern) {
  for (const PatternRow& row : Rows()) {
    if (row.pattern == pattern) return row.regexes.front();
  }
  return "";
}

std::vector<std::string_view> SafeParts(std::string_view text, SplitPattern pattern, size_t target) {
  std::vector<std::string_view> parts;
  while (text.size() > target && pattern != SplitPattern::kNone) {
    // A letter or digit before a space ends a piece in every pattern, whatever stands around the two.
    size_t cut = text.find(' ', target);
    while (cut != std::string_view::npos && !IsAsciiWordByte(text[cut - 1])) cut = text.find(' ', cut + 1);
    if (cut == std::string_view::npos) break;
    parts.push_back(text.substr(0, cut));
    text.remove_prefix(cut);
  }
  if (!text.empty()) parts.push_back(text);
  return parts;
}

std::vector<std::string_view> SplitPieces(std::string_view text, SplitPattern pattern) {
  std::vector<std::string_view> pieces;
  switch (pattern) {
    case SplitPattern::kNone:
      AppendPieces<SplitPattern::kNone>(text, &pieces);
      break;
    case SplitPattern::kWords:
      AppendPieces<SplitPattern::kWords>(text, &pieces);
      break;
    case SplitPattern::kGpt2:
      AppendPieces<SplitPattern::kGpt2>(text, &pieces);
      break;
    case SplitPattern::kCl100k:
      AppendPieces<SplitPattern::kCl100k>(text, &pieces);
      break;
    case SplitPattern::kLlama3:
      AppendPieces<SplitPattern::kLlama3>(text, &pieces);
      break;
    case SplitPattern::kQwen2:
      AppendPieces<SplitPattern::kQwen2>(text, &pieces);
      break;
    case SplitPattern::kO200k:
      AppendPieces<SplitPattern::kO200k>(text, &pieces);
      break;
  }
  return pieces;
}

}  // namespace quern
