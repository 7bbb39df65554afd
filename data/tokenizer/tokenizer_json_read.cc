#include <set>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "data/tokenizer/sentencepiece_bpe.h"
#include "data/tokenizer/tokenizer_json.h"

namespace quern {
namespace {

constexpr std::string_view kEveryCharacter = R"([\s\S])";
constexpr size_t kLongestAddedToken = 4096;
constexpr size_t kMostTemplateIds = 64;

// Reads the parts of one file around its model; errors name the file.
class Reader {
 public:
  Reader(const Json& root, std::string_view what, TokenizerParts* parts) : root_(root), what_(what), parts_(*parts) {}

  absl::Status Read() {
    if (!root_.is_object()) return Refuse("is not a JSON object");
    const Json& model = Field(root_, "model");
    if (!model.is_object()) return Refuse("has no `model` object: this is not a tokenizer.json");
    RETURN_IF_ERROR(tokenizer_json_internal::ReadModel(model, what_, &parts_));
    RETURN_IF_ERROR(ReadAddedTokens());
    if (!parts_.byte_ids.empty()) {
      RETURN_IF_ERROR(ReadSentencePiece());
    } else {
      RETURN_IF_ERROR(ReadNormalizer());
      RETURN_IF_ERROR(ReadPreTokenizer());
      RETURN_IF_ERROR(ReadDecoder());
    }
    return ReadPostProcessor(Field(root_, "post_processor"));
  }

 private:
  absl::Status Refuse(const std::string& why) const {
    return absl::InvalidArgumentError(absl::StrCat(what_, ": ", why));
  }

  static const Json& Field(const Json& object, const char* name) {
    static const Json* const null = new Json();
    if (!object.is_object()) return *null;
    auto it = object.find(name);
    return it == object.end() ? *null : *it;
  }

  static std::string Type(const Json& object) {
    const Json& type = Field(object, "type");
    return type.is_string() ? type.get<std::string>() : "";
  }

  // What was found, short enough for a message.
  static std::string Shown(const Json& value) {
    std::string text = WriteJsonLine(value);
    return text.size() <= 240 ? text : text.substr(0, 240) + " ...";
  }

  // A component's parts: those of a Sequence (under `name`), else itself; none for null.
  static std::vector<const Json*> Flatten(const Json& component, const char* name) {
    std::vector<const Json*> parts;
    if (component.is_null()) return parts;
    if (Type(component) == "Sequence" && Field(component, name).is_array()) {
      for (const Json& part : Field(component, name)) parts.push_back(&part);
    } else {
      parts.push_back(&component);
    }
    return parts;
  }

  absl::Status ReadAddedTokens();
  absl::Status AddToken(const Json& entry, int64_t greatest, std::set<std::string>* contents);
  absl::Status ReadSentencePiece();
  absl::Status ReadNormalizer();
  absl::Status ReadPreTokenizer();
  absl::Status ReadSplit(const Json& split);
  absl::Status ReadDecoder();
  absl::Status ReadPostProcessor(const Json& processor);
  absl::Status ReadTemplate(const Json& processor);
  absl::Status ReadClsSep(const Json& processor);
  absl::StatusOr<int32_t> ExistingId(const Json& id) const;

  const Json& root_;
  std::string what_;
  TokenizerParts& parts_;
};

absl::Status Reader::AddToken(const Json& entry, int64_t greatest, std::set<std::string>* contents) {
  const std::string where = absl::StrCat(what_, ": added_tokens[", parts_.added_tokens.size(), "]");
  AddedToken token;
  ASSIGN_OR_RETURN(const int64_t id, JsonInt(entry, "id", where, 0, greatest));
  token.id = static_cast<int32_t>(id);
  ASSIGN_OR_RETURN(token.content, JsonString(entry, "content", where));
  ASSIGN_OR_RETURN(token.special, JsonBoolOr(entry, "special", where, false));
  ASSIGN_OR_RETURN(token.single_word, JsonBoolOr(entry, "single_word", where, false));
  ASSIGN_OR_RETURN(token.lstrip, JsonBoolOr(entry, "lstrip", where, false));
  ASSIGN_OR_RETURN(token.rstrip, JsonBoolOr(entry, "rstrip", where, false));
  ASSIGN_OR_RETURN(token.normalized, JsonBoolOr(entry, "normalized", where, !token.special));
  if (token.content.empty() || token.content.size() > kLongestAddedToken) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": `content` has ", token.content.size(), " bytes, not 1 to ", kLongestAddedToken));
  }
  if (!contents->insert(token.content).second) {
    return absl::InvalidArgumentError(absl::StrCat(where, ": ", Shown(token.content), " is there twice"));
  }
  parts_.tokens.Set(id, token.content);
  parts_.added_tokens.push_back(std::move(token));
  return absl::OkStatus();
}

absl::Status Reader::ReadAddedTokens() {
  const Json& list = Field(root_, "added_tokens");
  if (list.is_null()) return absl::OkStatus();
  if (!list.is_array()) return Refuse("added_tokens is not an array");
  // Of the model's vocabulary, the string that an added token may repeat (its own).
  const Json& vocab = Field(Field(root_, "model"), "vocab");
  const int64_t in_model = parts_.tokens.size();
  const int64_t greatest = GreatestId(static_cast<int64_t>(vocab.size() + list.size()));
  std::set<std::string> contents;
  std::set<int64_t> ids;
  for (const Json& entry : list) {
    const Json& id = Field(entry, "id");
    const bool taken = id.is_number_integer() && id.get<int64_t>() < in_model && parts_.tokens.Has(id.get<int64_t>());
    if (taken && Field(entry, "content").is_string()) {
      auto same = vocab.find(entry["content"].get_ref<const std::string&>());
      if (same == vocab.end() || *same != id) {
        return Refuse(absl::StrCat("added_tokens: ", Shown(entry["content"]), " has the id ", id.get<int64_t>(),
                                   ", which model.vocab gives to another token"));
      }
    }
    RETURN_IF_ERROR(AddToken(entry, greatest, &contents));
    if (!ids.insert(parts_.added_tokens.back().id).second) {
      return Refuse(absl::StrCat("added_tokens: two tokens have the id ", parts_.added_tokens.back().id));
    }
  }
  return absl::OkStatus();
}

// What stands around a model with byte_fallback: one form, as Hugging Face's converter writes it for Llama 1 and 2.
absl::Status Reader::ReadSentencePiece() {
  const std::pair<const char*, Json> kWanted[] = {
      {"normalizer", SentencePieceNormalizer()}, {"pre_tokenizer", Json()}, {"decoder", SentencePieceDecoder()}};
  for (const auto& wanted : kWanted) {
    const Json& found = Field(root_, wanted.first);
    if (found == wanted.second) continue;
    return Refuse(absl::StrCat(wanted.first, " ", Shown(found), " is not supported with byte_fallback; ",
                               Shown(wanted.second), " is"));
  }
  parts_.dummy_prefix = parts_.metaspace = true;
  parts_.pattern = WordPattern(parts_);
  return absl::OkStatus();
}

absl::Status Reader::ReadNormalizer() {
  const Json& normalizer = Field(root_, "normalizer");
  for (const Json* part : Flatten(normalizer, "normalizers")) {
    if (Type(*part) != "NFC") {
      return Refuse(absl::StrCat("normalizer ", Shown(normalizer), " is not supported; none and NFC are"));
    }
    parts_.nfc = true;
  }
  if (parts_.nfc && parts_.kind == TokenizerKind::kChar)
    return Refuse("normalizer NFC is not supported with WordLevel");
  return absl::OkStatus();
}

absl::Status Reader::ReadSplit(const Json& split) {
  const Json& pattern = Field(split, "pattern");
  const Json& regex = Field(pattern, "Regex");
  const bool inverted = Field(split, "invert") == true;
  const Json& behavior = Field(split, "behavior");
  // What the pattern matches covers the text, so that removing the rest keeps everything.
  if (!(behavior == "Isolated" && !inverted) && !(behavior == "Removed" && inverted)) {
    return Refuse(absl::StrCat("pre_tokenizer Split with behavior ", Shown(behavior), ", invert ",
                               inverted ? "true" : "false", " is not supported; \"Isolated\" is"));
  }
  if (!regex.is_string()) return Refuse(absl::StrCat("pre_tokenizer Split by ", Shown(pattern), " is not supported"));
  if (parts_.kind == TokenizerKind::kChar) {
    if (regex == kEveryCharacter) return absl::OkStatus();
    return Refuse(absl::StrCat("pre_tokenizer Split by ", Shown(regex), " is not supported with WordLevel; ",
                               std::string(kEveryCharacter), " is"));
  }
  const std::optional<SplitPattern> known = SplitPatternByRegex(regex.get_ref<const std::string&>());
  if (!known.has_value()) {
    return Refuse(absl::StrCat("pre_tokenizer Split by the pattern ", Shown(regex),
                               ", which is none of gpt2, cl100k, o200k, llama3 and qwen2; a pattern is never guessed"));
  }
  parts_.pattern = *known;
  return absl::OkStatus();
}

absl::Status Reader::ReadPreTokenizer() {
  const Json& pre_tokenizer = Field(root_, "pre_tokenizer");
  const std::vector<const Json*> steps = Flatten(pre_tokenizer, "pretokenizers");
  const auto refuse = [&] {
    const bool bad_last = !steps.empty() && Type(*steps.back()) != "ByteLevel";
    return Refuse(absl::StrCat(
        "pre_tokenizer ", Shown(bad_last ? *steps.back() : pre_tokenizer), " is not supported with ",
        parts_.kind == TokenizerKind::kChar ? "WordLevel; a Split by " + std::string(kEveryCharacter) + " is"
                                            : "BPE; ByteLevel is, alone or after one Split"));
  };
  if (parts_.kind == TokenizerKind::kChar) {
    return steps.size() == 1 && Type(*steps[0]) == "Split" ? ReadSplit(*steps[0]) : refuse();
  }
  if (steps.empty() || steps.size() > 2 || Type(*steps.back()) != "ByteLevel") return refuse();
  const Json& byte_level = *steps.back();
  const std::string where = absl::StrCat(what_, ": pre_tokenizer ByteLevel");
  ASSIGN_OR_RETURN(const bool use_regex, JsonBoolOr(byte_level, "use_regex", where, true));
  ASSIGN_OR_RETURN(parts_.add_prefix_space, JsonBoolOr(byte_level, "add_prefix_space", where, true));
  if (steps.size() == 1) {
    parts_.pattern = use_regex ? SplitPattern::kGpt2 : SplitPattern::kNone;
  } else {
    // After a Split the space would go before each piece, not before the text.
    if (Type(*steps[0]) != "Split" || use_regex || parts_.add_prefix_space) return refuse();
    RETURN_IF_ERROR(ReadSplit(*steps[0]));
  }
  const bool plain = parts_.pattern == SplitPattern::kNone && !parts_.add_prefix_space && !parts_.nfc;
  if (parts_.kind == TokenizerKind::kByte && !plain) parts_.kind = TokenizerKind::kBpe;
  return absl::OkStatus();
}

absl::Status Reader::ReadDecoder() {
  const Json& decoder = Field(root_, "decoder");
  const std::string wanted = parts_.kind == TokenizerKind::kChar ? "Fuse" : "ByteLevel";
  const std::vector<const Json*> steps = Flatten(decoder, "decoders");
  if (steps.size() == 1 && Type(*steps[0]) == wanted) return absl::OkStatus();
  return Refuse(absl::StrCat("decoder ", Shown(decoder), " is not supported with this model; ", wanted, " is"));
}

absl::StatusOr<int32_t> Reader::ExistingId(const Json& id) const {
  if (id.is_number_integer() && parts_.tokens.Has(id.get<int64_t>())) return id.get<int32_t>();
  return Refuse(absl::StrCat("post_processor names the id ", Shown(id), ", which is no token's"));
}

// One list of ids before the text and one after it.
absl::Status Reader::ReadTemplate(const Json& processor) {
  std::vector<int32_t>* ids = &parts_.prefix_ids;
  for (const Json& piece : Field(processor, "single")) {
    if (Field(Field(piece, "Sequence"), "id") == "A" && ids == &parts_.prefix_ids) {
      ids = &parts_.suffix_ids;
      continue;
    }
    const Json& name = Field(Field(piece, "SpecialToken"), "id");
    const Json& tokens = Field(processor, "special_tokens");
    const Json& listed =
        name.is_string() ? Field(Field(tokens, name.get_ref<const std::string&>().c_str()), "ids") : name;
    if (!listed.is_array())
      return Refuse(absl::StrCat("post_processor TemplateProcessing: cannot read ", Shown(piece)));
    for (const Json& id : listed) {
      if (ids->size() >= kMostTemplateIds) return Refuse("post_processor adds too many tokens");
      ASSIGN_OR_RETURN(const int32_t number, ExistingId(id));
      ids->push_back(number);
    }
  }
  if (ids == &parts_.prefix_ids) return Refuse("post_processor TemplateProcessing: `single` has no Sequence A");
  return absl::OkStatus();
}

absl::Status Reader::ReadClsSep(const Json& processor) {
  for (const char* name : {"cls", "sep"}) {
    const Json& pair = Field(processor, name);
    if (!pair.is_array() || pair.size() != 2) {
      return Refuse(absl::StrCat("post_processor: `", name, "` is ", Shown(pair), ", not [token, id]"));
    }
    ASSIGN_OR_RETURN(const int32_t id, ExistingId(pair[1]));
    (*name == 'c' ? parts_.prefix_ids : parts_.suffix_ids).push_back(id);
  }
  return absl::OkStatus();
}

absl::Status Reader::ReadPostProcessor(const Json& processor) {
  for (const Json* step : Flatten(processor, "processors")) {
    const std::string type = Type(*step);
    if (type == "ByteLevel") continue;  // trims offsets, which we do not report
    if (!parts_.prefix_ids.empty() || !parts_.suffix_ids.empty()) {
      return Refuse(absl::StrCat("post_processor ", Shown(processor), " adds tokens twice, which is not supported"));
    }
    if (type == "TemplateProcessing") {
      RETURN_IF_ERROR(ReadTemplate(*step));
    } else if (type == "RobertaProcessing" || type == "BertProcessing") {
      RETURN_IF_ERROR(ReadClsSep(*step));
    } else {
      return Refuse(absl::StrCat("post_processor ", Shown(*step), " is not supported"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TokenizerParts> ReadTokenizerJson(std::string_view json, std::string_view what) {
  ASSIGN_OR_RETURN(const Json root, ParseJson(json, what));
  TokenizerParts parts;
  RETURN_IF_ERROR(Reader(root, what, &parts).Read());
  return parts;
}

}  // namespace quern
