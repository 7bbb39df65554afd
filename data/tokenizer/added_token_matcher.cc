#include "data/tokenizer/added_token_matcher.h"

#include <algorithm>
#include <cstring>

#include "base/log.h"
#include "data/tokenizer/char_class.h"

namespace quern {
namespace {

// The last character of `text`, which is not empty.
CodePoint LastCodePoint(std::string_view text) {
  const char* end = text.data() + text.size();
  for (size_t size = std::min<size_t>(4, text.size()); size > 1; --size) {
    const CodePoint point = ReadCodePoint(end - size, end);
    if (point.value >= 0 && point.size == size) return point;
  }
  return ReadCodePoint(end - 1, end);
}

bool EndsWithWord(std::string_view text) { return !text.empty() && IsWordCharacter(LastCodePoint(text).value); }

bool StartsWithWord(std::string_view text) {
  return !text.empty() && IsWordCharacter(ReadCodePoint(text.data(), text.data() + text.size()).value);
}

size_t SpacesAtEnd(std::string_view text) {
  const size_t whole = text.size();
  while (!text.empty()) {
    const CodePoint last = LastCodePoint(text);
    if (!IsSpaceCharacter(last.value)) break;
    text.remove_suffix(last.size);
  }
  return whole - text.size();
}

size_t SpacesAtStart(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    const CodePoint point = ReadCodePoint(text.data() + at, text.data() + text.size());
    if (!IsSpaceCharacter(point.value)) break;
    at += point.size;
  }
  return at;
}

}  // namespace

AddedTokenMatcher::AddedTokenMatcher(std::vector<const AddedToken*> tokens) : tokens_(std::move(tokens)) {
  token_of_node_.push_back(-1);
  for (size_t i = 0; i < tokens_.size(); ++i) {
    const std::string& content = tokens_[i]->content;
    CHECK(!content.empty());
    uint32_t node = 0;
    for (char c : content) {
      auto [edge, added] = edges_.try_emplace(uint64_t{node} << 8 | static_cast<uint8_t>(c), token_of_node_.size());
      if (added) token_of_node_.push_back(-1);
      node = edge->second;
    }
    token_of_node_[node] = static_cast<int32_t>(i);
    starts_[static_cast<uint8_t>(content[0])] = true;
  }
  if (std::count(starts_.begin(), starts_.end(), true) == 1) {
    only_start_ = static_cast<int>(std::find(starts_.begin(), starts_.end(), true) - starts_.begin());
  }
}

size_t AddedTokenMatcher::NextCandidate(std::string_view text, size_t from) const {
  if (only_start_ >= 0) {
    const void* at = from < text.size() ? std::memchr(text.data() + from, only_start_, text.size() - from) : nullptr;
    return at == nullptr ? text.size() : static_cast<const char*>(at) - text.data();
  }
  while (from < text.size() && !starts_[static_cast<uint8_t>(text[from])]) ++from;
  return from;
}

AddedTokenMatcher::Match AddedTokenMatcher::LongestAt(std::string_view text) const {
  Match match;
  uint32_t node = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    auto edge = edges_.find(uint64_t{node} << 8 | static_cast<uint8_t>(text[i]));
    if (edge == edges_.end()) break;
    node = edge->second;
    if (token_of_node_[node] >= 0) match = {tokens_[token_of_node_[node]], i + 1};
  }
  return match;
}

void AddedTokenMatcher::Split(std::string_view text, std::vector<TextPart>* parts) const {
  size_t done = 0;  // what lies before is in `parts`
  for (size_t at = NextCandidate(text, 0); at < text.size(); at = NextCandidate(text, at)) {
    const Match match = LongestAt(text.substr(at));
    if (match.token == nullptr) {
      ++at;
      continue;
    }
    size_t begin = at, end = at + match.size;
    at = end;
    const AddedToken& token = *match.token;
    if (token.single_word && (EndsWithWord(text.substr(0, begin)) || StartsWithWord(text.substr(end)))) continue;
    if (token.lstrip) begin -= SpacesAtEnd(text.substr(done, begin - done));
    if (token.rstrip) end += SpacesAtStart(text.substr(end));
    if (begin > done) parts->push_back({text.substr(done, begin - done), -1});
    parts->push_back({text.substr(begin, end - begin), token.id});
    at = done = end;
  }
  if (done < text.size()) parts->push_back({text.substr(done), -1});
}

}  // namespace quern
