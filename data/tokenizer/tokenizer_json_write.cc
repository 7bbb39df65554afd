#include <algorithm>

#include "base/json.h"
#include "data/tokenizer/byte_alphabet.h"
#include "data/tokenizer/sentencepiece_bpe.h"
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

Json Normalizer(const TokenizerParts& parts) {
  if (parts.dummy_prefix) return SentencePieceNormalizer();
  return parts.nfc ? Json({{"type", "NFC"}}) : Json();
}

Json Decoder(const TokenizerParts& parts) {
  if (parts.dummy_prefix) return SentencePieceDecoder();
  return parts.kind == TokenizerKind::kChar ? Json({{"type", "Fuse"}}) : ByteLevel(true, true);
}

// BOS before a text, or before each of a pair, as Llama's converter has it; only SentencePiece's files say so here.
Json PostProcessor(const TokenizerParts& parts) {
  if (!parts.dummy_prefix || parts.prefix_ids.empty()) return nullptr;
  const std::string bos(parts.tokens.Bytes(parts.prefix_ids[0]));
  const auto special = [&](int type) { return Json({{"SpecialToken", {{"id", bos}, {"type_id", type}}}}); };
  const auto sequence = [](const char* id, int type) { return Json({{"Sequence", {{"id", id}, {"type_id", type}}}}); };
  return {{"type", "TemplateProcessing"},
          {"single", Json::array({special(0), sequence("A", 0)})},
          {"pair", Json::array({special(0), sequence("A", 0), special(1), sequence("B", 1)})},
          {"special_tokens",
           {{bos, {{"id", bos}, {"ids", Json::array({parts.prefix_ids[0]})}, {"tokens", Json::array({bos})}}}}}};
}

Json PreTokenizer(const TokenizerParts& parts) {
  if (parts.dummy_prefix) return nullptr;
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

// A token as the model's vocabulary has it: byte-level or SentencePiece's text for BPE, characters for WordLevel.
std::string Written(const TokenizerParts& parts, int64_t id) {
  const std::string_view bytes = parts.tokens.Bytes(id);
  if (parts.kind == TokenizerKind::kChar) return std::string(bytes);
  if (parts.byte_ids.empty()) return BytesToAlphabet(bytes);
  const auto& as_is = parts.decode_only;
  if (std::find(as_is.begin(), as_is.end(), id) != as_is.end()) return std::string(bytes);
  const bool is_byte = bytes.size() == 1 && parts.byte_ids[static_cast<uint8_t>(bytes[0])] == id;
  return is_byte ? NameOfByte(static_cast<uint8_t>(bytes[0])) : SpaceToMetaspace(bytes);
}

Json Model(const TokenizerParts& parts) {
  const bool chars = parts.kind == TokenizerKind::kChar, byte_fallback = !parts.byte_ids.empty();
  const auto written = [&](int64_t id) { return Written(parts, id); };
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
          {"unk_token", byte_fallback && parts.unk_id.has_value() ? Json(written(*parts.unk_id)) : Json()},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", byte_fallback && parts.fuse_unk},
          {"byte_fallback", byte_fallback},
          {"ignore_merges", parts.ignore_merges},
          {"vocab", std::move(vocab)},
          {"merges", std::move(merges)}};
}

}  // namespace

std::string WriteTokenizerJson(const TokenizerParts& parts) {
  return WriteJson({{"version", "1.0"},
                    {"truncation", nullptr},
                    {"padding", nullptr},
                    {"added_tokens", AddedTokens(parts)},
                    {"normalizer", Normalizer(parts)},
                    {"pre_tokenizer", PreTokenizer(parts)},
                    {"post_processor", PostProcessor(parts)},
                    {"decoder", Decoder(parts)},
                    {"model", Model(parts)}});
}

}  // namespace quern
