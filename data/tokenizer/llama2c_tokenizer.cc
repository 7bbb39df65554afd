#include "data/tokenizer/llama2c_tokenizer.h"

#include <bit>
#include <cmath>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/little_endian.h"
#include "base/status_macros.h"
#include "data/tokenizer/sentencepiece_bpe.h"

namespace quern {
namespace {

constexpr uint32_t kLongestToken = 256;  // cutting a token in all ways takes the square of its length
constexpr int32_t kUnk = 0, kBos = 1, kEos = 2, kFirstByte = 3, kFirstPiece = kFirstByte + 256;
constexpr float kNeverMerged = -1e10f;  // where llama2.c's search for the best score begins

struct Piece {
  float score = 0;
  std::string_view text;
};

absl::StatusOr<std::vector<Piece>> ReadPieces(std::string_view bytes, std::string_view what) {
  const uint32_t longest = ReadLittleEndian<uint32_t>(bytes, 0);
  std::vector<Piece> pieces;
  for (size_t at = 4; at < bytes.size();) {
    const auto refuse = [&](const std::string& why) {
      return absl::InvalidArgumentError(absl::StrCat(std::string(what), ": as a tokenizer file of llama2.c, token ",
                                                     pieces.size(), " at byte ", at, " ", why));
    };
    const size_t left = bytes.size() - at;
    if (left < 8) return refuse(absl::StrCat("is cut off: score and length take 8 bytes, ", left, " are left"));
    const float score = std::bit_cast<float>(ReadLittleEndian<uint32_t>(bytes, at));
    const uint32_t size = ReadLittleEndian<uint32_t>(bytes, at + 4);
    if (!std::isfinite(score)) return refuse("has a score that is not a number");
    if (size < 1 || size > longest) {
      return refuse(absl::StrCat("has ", size, " bytes, not 1 to the ", longest, " that the file begins with"));
    }
    if (size > left - 8) return refuse(absl::StrCat("is cut off: ", size, " bytes, ", left - 8, " are left"));
    pieces.push_back({score, bytes.substr(at + 8, size)});
    at += 8 + size;
  }
  return pieces;
}

// "\n<s>\n" is "<s>".
std::string_view WithoutLineEnds(std::string_view text) {
  while (!text.empty() && text.front() == '\n') text.remove_prefix(1);
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  return text;
}

absl::Status CheckPieces(const std::vector<Piece>& pieces, std::string_view what) {
  const auto refuse = [&](size_t id, const std::string& why) {
    return absl::InvalidArgumentError(
        absl::StrCat(std::string(what), ": as a tokenizer file of llama2.c, token ", id, " ", why));
  };
  if (pieces.size() < kFirstPiece) {
    return refuse(pieces.size(), absl::StrCat("is missing: <unk>, BOS, EOS and 256 bytes are the first ",
                                              static_cast<int>(kFirstPiece)));
  }
  std::set<std::string_view> seen;
  for (size_t id = 0; id < pieces.size(); ++id) {
    if (!seen.insert(pieces[id].text).second) return refuse(id, "is there twice");
    const bool byte = id >= kFirstByte && id < kFirstPiece;
    if (byte && pieces[id].text != NameOfByte(static_cast<uint8_t>(id - kFirstByte))) {
      return refuse(id, absl::StrCat("is not ", NameOfByte(static_cast<uint8_t>(id - kFirstByte)),
                                     "; only vocabularies with byte fallback, as Llama 2 has it, are supported"));
    }
    if (id < kFirstByte && WithoutLineEnds(pieces[id].text).empty()) return refuse(id, "is empty");
  }
  return absl::OkStatus();
}

}  // namespace

bool LooksLikeLlama2cTokenizer(std::string_view bytes) {
  if (bytes.size() < 4) return false;
  const uint32_t longest = ReadLittleEndian<uint32_t>(bytes, 0);
  return longest >= 1 && longest <= kLongestToken;
}

absl::StatusOr<TokenizerParts> ReadLlama2cTokenizer(std::string_view bytes, std::string_view what) {
  ASSIGN_OR_RETURN(const std::vector<Piece> pieces, ReadPieces(bytes, what));
  RETURN_IF_ERROR(CheckPieces(pieces, what));
  TokenizerParts parts;
  std::vector<float> scores;
  std::vector<bool> skip;
  for (size_t i = 0; i < pieces.size(); ++i) {
    const int32_t id = static_cast<int32_t>(i);
    scores.push_back(pieces[i].score);
    skip.push_back(id < kFirstPiece);
    if (id < kFirstByte) {
      const std::string name(WithoutLineEnds(pieces[i].text));
      parts.tokens.Set(id, name);
      parts.added_tokens.push_back({.id = id, .content = name, .special = true});
    } else if (id < kFirstPiece) {
      const char byte = static_cast<char>(id - kFirstByte);
      parts.tokens.Set(id, {&byte, 1});
      parts.byte_ids.push_back(id);
    } else {
      parts.tokens.Set(id, pieces[i].text);
    }
  }
  parts.merges = MergesByScore(parts.tokens, scores, skip);
  std::erase_if(parts.merges, [&](const BpeMerge& merge) { return scores[merge.merged] <= kNeverMerged; });
  parts.pattern = WordPattern(parts);
  parts.dummy_prefix = true;
  parts.fuse_unk = true;
  parts.unk_id = kUnk;
  parts.bos_id = kBos;
  parts.eos_id = kEos;
  parts.prefix_ids = {kBos};
  return parts;
}

}  // namespace quern
