#include "data/tokenizer/tokenizer.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/log.h"
#include "base/sha256.h"
#include "base/status_macros.h"
#include "data/tokenizer/tokenizer_impl.h"
#include "data/tokenizer/tokenizer_json.h"

namespace quern {
namespace {

// Where no configuration names BOS and EOS: what those tokens are usually called.
constexpr const char* kBosNames[] = {"<|begin_of_text|>", "<s>", "<bos>", "<|startoftext|>", "<|endoftext|>"};
constexpr const char* kEosNames[] = {"<|end_of_text|>", "</s>", "<eos>", "<|endoftext|>"};

}  // namespace

std::string_view Name(TokenizerKind kind) {
  switch (kind) {
    case TokenizerKind::kBpe:
      return "bpe";
    case TokenizerKind::kChar:
      return "char";
    case TokenizerKind::kByte:
      return "byte";
  }
  return "?";
}

Tokenizer::Impl::Impl(TokenizerParts given) : parts(std::move(given)) {
  if (parts.json.empty()) parts.json = WriteTokenizerJson(parts);
  sha256 = Sha256(parts.json);
  std::sort(parts.added_tokens.begin(), parts.added_tokens.end(),
            [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
  special.resize(parts.tokens.size(), false);
  for (const AddedToken& token : parts.added_tokens) {
    special[token.id] = token.special;
    if (!token.normalized) continue;
    AddedToken& copy = normalized_tokens.emplace_back(token);
    copy.content = Normalize(copy.content).value_or(copy.content);
  }
  for (const bool parse_special : {false, true}) {
    std::vector<const AddedToken*> as_given, as_normalized;
    for (const AddedToken& token : parts.added_tokens) {
      if (!token.normalized && (!token.special || parse_special)) as_given.push_back(&token);
    }
    for (const AddedToken& token : normalized_tokens) {
      if (!token.special || parse_special) as_normalized.push_back(&token);
    }
    raw[parse_special] = AddedTokenMatcher(std::move(as_given));
    normalized[parse_special] = AddedTokenMatcher(std::move(as_normalized));
  }
  if (parts.kind == TokenizerKind::kBpe) bpe.emplace(parts);
  if (parts.kind == TokenizerKind::kChar) {
    for (int64_t id = 0; id < parts.tokens.size(); ++id) {
      const std::string_view token = parts.tokens.Bytes(id);
      if (token.empty()) continue;
      const CodePoint point = ReadCodePoint(token.data(), token.data() + token.size());
      if (point.value < 0 || point.size != token.size()) continue;  // a token that is not a character
      if (point.value >= static_cast<int64_t>(char_ids.size())) char_ids.resize(point.value + 1, -1);
      char_ids[point.value] = static_cast<int32_t>(id);
    }
  }
}

Tokenizer Tokenizer::FromParts(TokenizerParts parts) {
  const auto named = [&parts](const auto& names) -> std::optional<int32_t> {
    for (const char* name : names) {
      for (const AddedToken& token : parts.added_tokens) {
        if (token.content == name) return token.id;
      }
    }
    return std::nullopt;
  };
  if (!parts.bos_id.has_value()) parts.bos_id = named(kBosNames);
  if (!parts.eos_id.has_value()) parts.eos_id = named(kEosNames);
  const bool prefixed = !parts.prefix_ids.empty() && parts.bos_id.has_value() && parts.prefix_ids[0] == *parts.bos_id;
  parts.adds_bos = parts.adds_bos || prefixed;
  return Tokenizer(std::make_shared<const Impl>(std::move(parts)));
}

absl::StatusOr<Tokenizer> Tokenizer::FromJson(std::string_view json, std::string_view what) {
  ASSIGN_OR_RETURN(TokenizerParts parts, ReadTokenizerJson(json, what));
  parts.json = std::string(json);
  return FromParts(std::move(parts));
}

Tokenizer Tokenizer::Bytes() {
  TokenizerParts parts;
  parts.kind = TokenizerKind::kByte;
  for (int b = 0; b < 256; ++b) {
    const char byte = static_cast<char>(b);
    parts.tokens.Set(b, {&byte, 1});
  }
  return FromParts(std::move(parts));
}

absl::StatusOr<std::string> Tokenizer::Decode(std::span<const int32_t> ids) const {
  std::string text;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (!HasToken(ids[i])) {
      return absl::InvalidArgumentError(absl::StrCat(
          "id ", ids[i], " at index ", i, " is no token's; this tokenizer has ids 0 to ", vocab_size() - 1, "."));
    }
    std::string_view bytes = TokenBytes(ids[i]);
    if (i == 0 && drops_first_space() && bytes.substr(0, 1) == " ") bytes.remove_prefix(1);
    text += bytes;
  }
  return text;
}

std::string_view Tokenizer::TokenBytes(int32_t id) const { return impl_->parts.tokens.Bytes(id); }
bool Tokenizer::HasToken(int32_t id) const { return impl_->parts.tokens.Has(id); }

std::optional<int32_t> Tokenizer::TokenId(std::string_view bytes) const {
  for (const AddedToken& token : impl_->parts.added_tokens) {
    if (token.content == bytes) return token.id;
  }
  for (int64_t id = 0; id < vocab_size(); ++id) {
    if (HasToken(static_cast<int32_t>(id)) && impl_->parts.tokens.Bytes(id) == bytes) return static_cast<int32_t>(id);
  }
  return std::nullopt;
}

TokenizerKind Tokenizer::kind() const { return impl_->parts.kind; }
int64_t Tokenizer::vocab_size() const { return impl_->parts.tokens.size(); }
std::optional<int32_t> Tokenizer::bos_id() const { return impl_->parts.bos_id; }
std::optional<int32_t> Tokenizer::eos_id() const { return impl_->parts.eos_id; }
bool Tokenizer::adds_bos() const { return impl_->parts.adds_bos; }
bool Tokenizer::drops_first_space() const { return impl_->parts.dummy_prefix; }
const std::vector<AddedToken>& Tokenizer::added_tokens() const { return impl_->parts.added_tokens; }
bool Tokenizer::IsSpecial(int32_t id) const { return HasToken(id) && impl_->special[id]; }
int64_t Tokenizer::merge_count() const { return static_cast<int64_t>(impl_->parts.merges.size()); }
std::string_view Tokenizer::pattern() const { return Name(impl_->parts.pattern); }
const std::string& Tokenizer::json() const { return impl_->parts.json; }
const std::string& Tokenizer::sha256() const { return impl_->sha256; }
absl::Status Tokenizer::Save(const std::string& path) const { return WriteFileAtomic(path, json()); }

}  // namespace quern
