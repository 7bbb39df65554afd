#include "data/tokenizer/tiktoken.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace quern {
namespace {

// Splitting a token in all ways takes the square of its length.
constexpr size_t kLongestToken = 1024;

struct Line {
  std::string token;
  int32_t rank = 0;
};

std::optional<Line> ParseLine(std::string_view line) {
  const size_t space = line.find(' ');
  if (space == std::string_view::npos || space == 0) return std::nullopt;
  Line parsed;
  const char* end = line.data() + line.size();
  const auto [stop, error] = std::from_chars(line.data() + space + 1, end, parsed.rank);
  if (error != std::errc() || stop != end || parsed.rank < 0) return std::nullopt;
  if (!absl::Base64Unescape(absl::string_view(line.data(), space), &parsed.token)) return std::nullopt;
  return parsed;
}

std::string_view TakeLine(std::string_view* bytes) {
  std::string_view line = bytes->substr(0, bytes->find('\n'));
  bytes->remove_prefix(std::min(bytes->size(), line.size() + 1));
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

// Every way to cut a token into two tokens is a merge with the token's rank.
std::vector<BpeMerge> AllMerges(const TokenTable& tokens) {
  absl::flat_hash_map<std::string_view, int32_t> ids;
  ids.reserve(tokens.size());
  for (int64_t id = 0; id < tokens.size(); ++id) {
    if (tokens.Has(id)) ids.emplace(tokens.Bytes(id), static_cast<int32_t>(id));
  }
  std::vector<BpeMerge> merges;
  for (int64_t id = 0; id < tokens.size(); ++id) {
    const std::string_view token = tokens.Bytes(id);
    for (size_t cut = 1; cut < token.size(); ++cut) {
      auto left = ids.find(token.substr(0, cut));
      if (left == ids.end()) continue;
      auto right = ids.find(token.substr(cut));
      if (right == ids.end()) continue;
      merges.push_back({left->second, right->second, static_cast<int32_t>(id), static_cast<int32_t>(id)});
    }
  }
  return merges;
}

}  // namespace

bool LooksLikeTiktoken(std::string_view bytes) {
  const std::string_view line = TakeLine(&bytes);
  return line.size() < 4 * kLongestToken && ParseLine(line).has_value();
}

absl::StatusOr<TokenizerParts> ReadTiktoken(std::string_view bytes, SplitPattern pattern, std::string_view what) {
  TokenizerParts parts;
  parts.pattern = pattern;
  parts.ignore_merges = true;
  const int64_t lines = static_cast<int64_t>(std::count(bytes.begin(), bytes.end(), '\n')) + 1;
  const int64_t greatest = GreatestId(lines);
  absl::flat_hash_map<std::string, int64_t> seen;
  for (int64_t number = 1; !bytes.empty(); ++number) {
    const std::string_view line = TakeLine(&bytes);
    if (line.empty()) continue;
    const auto refuse = [&](const std::string& why) {
      return absl::InvalidArgumentError(absl::StrCat(std::string(what), ": line ", number, ": ", why));
    };
    const std::optional<Line> parsed = ParseLine(line);
    if (!parsed.has_value()) return refuse("is not a token in base64, a space and its rank");
    if (parsed->token.empty() || parsed->token.size() > kLongestToken) {
      return refuse(absl::StrCat("the token has ", parsed->token.size(), " bytes, not 1 to ", kLongestToken));
    }
    if (parsed->rank > greatest)
      return refuse(absl::StrCat("rank ", parsed->rank, " is too large for ", lines, " lines"));
    if (parts.tokens.Has(parsed->rank)) return refuse(absl::StrCat("rank ", parsed->rank, " is there twice"));
    if (!seen.emplace(parsed->token, number).second) return refuse("the token is there twice");
    parts.tokens.Set(parsed->rank, parsed->token);
  }
  if (parts.tokens.size() == 0) return absl::InvalidArgumentError(absl::StrCat(std::string(what), " holds no tokens"));
  parts.merges = AllMerges(parts.tokens);
  return parts;
}

}  // namespace quern
