#include "base/json.h"
#include "data/tokenizer/byte_alphabet.h"
#include "data/tokenizer/tokenizer_json.h"

namespace quern {
namespace {

Json ByteLevel(bool add_prefix_space, bool use_regex) {
  return {
      {"type", "ByteLevel"}, {"add_prefix_space", add_prefix_space}, {"trim_offsets", true}, {"use_regex", use_regex}};
}

Json Split(std::string_view regex) {
  return {{"type", "Split"}, {"pattern", {{"Regex", std::string(regex)}}}, {"behavior", "Isolated"}, {"invert", false}};
}

Json PreTokenizer(const TokenizerParts& parts) {
  if (parts.kind == TokenizerKind::kChar) return Split(R"([\s\S])");
  if (parts.pattern == SplitPattern::kNone || parts.pattern == SplitPattern::kGpt2) {
    return ByteLevel(parts.add_prefix_space, parts.pattern == SplitPattern::kGpt2);
  }
  return {{"type", "Sequence"},
          {"pretokenizers", Json::array({Split(SplitRegex(parts.pattern)), ByteLevel(false, false)})}};
}

Json AddedTokens(const TokenizerParts& parts) {
  Json list = Json::array();
  for (const AddedToken& token : parts.added_tokens) {
    list.push_back({{"id", token.id},
                    {"content", token.content},
                    {"single_word", token.single_word},
                    {"lstrip", token.lstrip},
                    {"rstrip", token.rstrip},
                    {"normalized", token.normalized},
                    {"special", token.special}});
  }
  return list;
}

// The model's vocabulary: byte-level text for BPE, characters for WordLevel.
Json Model(const TokenizerParts& parts) {
  const bool chars = parts.kind == TokenizerKind::kChar;
  const auto written = [&](int64_t id) {
    return chars ? std::string(parts.tokens.Bytes(id)) : BytesToAlphabet(parts.tokens.Bytes(id));
  };
  std::vector<bool> added(parts.tokens.size(), false);
  Json vocab = Json::object();
  // In the vocabulary too: readers number added tokens that are not in it by themselves.
  for (const AddedToken& token : parts.added_tokens) {
    added[token.id] = true;
    vocab[token.content] = token.id;
  }
  for (int64_t id = 0; id < parts.tokens.size(); ++id) {
    if (parts.tokens.Has(id) && !added[id]) vocab[written(id)] = id;
  }
  // WordLevel wants the name of an unknown-token; where no token has it, an unknown symbol is an error there too.
  if (chars) return {{"type", "WordLevel"}, {"vocab", std::move(vocab)}, {"unk_token", "<unk>"}};
  Json merges = Json::array();
  for (const BpeMerge& merge : parts.merges) merges.push_back({written(merge.left), written(merge.right)});
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", nullptr},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", false},
          {"byte_fallback", false},
          {"ignore_merges", parts.ignore_merges},
          {"vocab", std::move(vocab)},
          {"merges", std::move(merges)}};
}

}  // namespace

std::string WriteTokenizerJson(const TokenizerParts& parts) {
  const bool chars = parts.kind == TokenizerKind::kChar;
  return WriteJson({{"version", "1.0"},
                    {"truncation", nullptr},
                    {"padding", nullptr},
                    {"added_tokens", AddedTokens(parts)},
                    {"normalizer", parts.nfc ? Json({{"type", "NFC"}}) : Json()},
                    {"pre_tokenizer", PreTokenizer(parts)},
                    {"post_processor", nullptr},
                    {"decoder", chars ? Json({{"type", "Fuse"}}) : ByteLevel(true, true)},
                    {"model", Model(parts)}});
}

}  // namespace quern
