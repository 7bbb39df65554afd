#include "data/tokenizer/sentencepiece_bpe.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace quern {

// ModelProto: its first field is a piece, which holds its text and then a score or a type.
bool LooksLikeSentencePieceModel(std::string_view bytes) {
  if (bytes.size() < 5 || bytes[0] != 0x0A || bytes[2] != 0x0A) return false;
  const size_t text_end = size_t{4} + static_cast<uint8_t>(bytes[3]);
  return text_end < bytes.size() && (bytes[text_end] == 0x15 || bytes[text_end] == 0x18);
}

std::optional<uint8_t> ByteOfName(std::string_view token) {
  if (token.size() != 6 || token.substr(0, 3) != "<0x" || token[5] != '>') return std::nullopt;
  int value = 0;
  for (char c : token.substr(3, 2)) {
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    if (digit < 0) return std::nullopt;
    value = 16 * value + digit;
  }
  return static_cast<uint8_t>(value);
}

std::string NameOfByte(uint8_t byte) { return absl::StrFormat("<0x%02X>", byte); }

std::string MetaspaceToSpace(std::string_view text) {
  return absl::StrReplaceAll(absl::string_view(text.data(), text.size()), {{"\xE2\x96\x81", " "}});
}

std::string SpaceToMetaspace(std::string_view text) {
  return absl::StrReplaceAll(absl::string_view(text.data(), text.size()), {{" ", "\xE2\x96\x81"}});
}

std::vector<BpeMerge> MergesByScore(const TokenTable& tokens, std::span<const float> scores,
                                    const std::vector<bool>& skip) {
  absl::flat_hash_map<std::string_view, int32_t> ids;
  for (int64_t id = 0; id < tokens.size(); ++id) {
    if (tokens.Has(id) && !skip[id]) ids.emplace(tokens.Bytes(id), static_cast<int32_t>(id));
  }
  std::vector<BpeMerge> merges;
  for (const auto& [text, id] : ids) {
    for (size_t cut = 1; cut < text.size(); ++cut) {
      const auto left = ids.find(text.substr(0, cut)), right = ids.find(text.substr(cut));
      if (left != ids.end() && right != ids.end()) merges.push_back({left->second, right->second, id, 0});
    }
  }
  const auto length = [&](int32_t id) { return tokens.Bytes(id).size(); };
  std::sort(merges.begin(), merges.end(), [&](const BpeMerge& a, const BpeMerge& b) {
    if (scores[a.merged] != scores[b.merged]) return scores[a.merged] > scores[b.merged];
    if (length(a.left) != length(b.left)) return length(a.left) > length(b.left);
    if (length(a.right) != length(b.right)) return length(a.right) > length(b.right);
    return std::pair(a.left, a.right) < std::pair(b.left, b.right);
  });
  for (size_t i = 1; i < merges.size(); ++i) {
    merges[i].rank = merges[i - 1].rank + (scores[merges[i].merged] != scores[merges[i - 1].merged] ? 1 : 0);
  }
  return merges;
}

SplitPattern WordPattern(const TokenizerParts& parts) {
  for (const BpeMerge& merge : parts.merges) {
    const std::string_view text = parts.tokens.Bytes(merge.merged);
    const size_t word = text.find_first_not_of(' ');
    if (word != std::string_view::npos && text.find(' ', word) != std::string_view::npos) return SplitPattern::kNone;
  }
  return SplitPattern::kWords;
}

Json SentencePieceNormalizer() {
  const std::string mark(kMetaspace);
  return {{"type", "Sequence"},
          {"normalizers", Json::array({{{"type", "Prepend"}, {"prepend", mark}},
                                       {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", mark}}})}};
}

Json SentencePieceDecoder() {
  const std::string mark(kMetaspace);
  return {{"type", "Sequence"},
          {"decoders", Json::array({{{"type", "Replace"}, {"pattern", {{"String", mark}}}, {"content", " "}},
                                    {{"type", "ByteFallback"}},
                                    {{"type", "Fuse"}},
                                    {{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}}})}};
}

}  // namespace quern
