// Tokenizer::Load: which file of a folder, which format, and what its neighbours say about BOS and EOS.
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/foreign_file.h"
#include "base/json.h"
#include "base/status_macros.h"
#include "base/suggest.h"
#include "data/tokenizer/llama2c_tokenizer.h"
#include "data/tokenizer/sentencepiece_bpe.h"
#include "data/tokenizer/tiktoken.h"
#include "data/tokenizer/tokenizer.h"
#include "data/tokenizer/tokenizer_json.h"
#include "data/tokenizer/tokenizer_parts.h"

namespace quern {
namespace {

constexpr uint64_t kLargestFile = uint64_t{1} << 28;

std::optional<int32_t> AddedId(const TokenizerParts& parts, std::string_view content) {
  for (const AddedToken& token : parts.added_tokens) {
    if (token.content == content) return token.id;
  }
  return std::nullopt;
}

// tokenizer_config.json: a token is its text, or an object with `content`.
std::optional<int32_t> ConfiguredToken(const Json& config, const char* field, const TokenizerParts& parts) {
  auto it = config.find(field);
  if (it == config.end()) return std::nullopt;
  const Json* text = &*it;
  if (text->is_object() && text->contains("content")) text = &(*text)["content"];
  if (!text->is_string()) return std::nullopt;
  return AddedId(parts, text->get_ref<const std::string&>());
}

// config.json, generation_config.json: an id, or a list of which the first counts.
std::optional<int32_t> ConfiguredId(const Json& config, const char* field, const TokenizerParts& parts) {
  auto it = config.find(field);
  if (it == config.end()) return std::nullopt;
  const Json* id = &*it;
  if (id->is_array() && !id->empty()) id = &id->front();
  if (!id->is_number_integer() || !parts.tokens.Has(id->get<int64_t>())) return std::nullopt;
  return id->get<int32_t>();
}

absl::StatusOr<Json> ReadIfThere(const std::string& path) {
  if (!FileExists(path)) return Json::object();
  ASSIGN_OR_RETURN(Json json, ReadJsonFile(path));
  if (!json.is_object()) return absl::InvalidArgumentError(absl::StrCat(path, " is not a JSON object"));
  return json;
}

absl::Status ReadNeighbours(const std::string& folder, TokenizerParts* parts) {
  ASSIGN_OR_RETURN(const Json tokenizer_config, ReadIfThere(JoinPath(folder, "tokenizer_config.json")));
  parts->bos_id = ConfiguredToken(tokenizer_config, "bos_token", *parts);
  parts->eos_id = ConfiguredToken(tokenizer_config, "eos_token", *parts);
  const Json& add_bos = tokenizer_config.contains("add_bos_token") ? tokenizer_config["add_bos_token"] : Json();
  parts->adds_bos = add_bos == true;
  for (const char* name : {"generation_config.json", "config.json"}) {
    if (parts->bos_id.has_value() && parts->eos_id.has_value()) break;
    ASSIGN_OR_RETURN(const Json config, ReadIfThere(JoinPath(folder, name)));
    if (!parts->bos_id.has_value()) parts->bos_id = ConfiguredId(config, "bos_token_id", *parts);
    if (!parts->eos_id.has_value()) parts->eos_id = ConfiguredId(config, "eos_token_id", *parts);
  }
  return absl::OkStatus();
}

absl::StatusOr<SplitPattern> PatternOption(const LoadOptions& options) {
  const std::optional<SplitPattern> pattern = SplitPatternByName(options.pattern);
  if (pattern.has_value()) return *pattern;
  return absl::InvalidArgumentError(absl::StrCat("--pattern ", options.pattern,
                                                 " is none of gpt2, cl100k, o200k, llama3, qwen2.",
                                                 DidYouMean(options.pattern, SplitPatternNames())));
}

}  // namespace

absl::StatusOr<Tokenizer> Tokenizer::Load(const std::string& path, const LoadOptions& options) {
  const std::string file = IsFolder(path) ? JoinPath(path, "tokenizer.json") : path;
  ASSIGN_OR_RETURN(std::string bytes, ReadFile(file, kLargestFile));
  if (const ForeignFile* foreign = FindForeignFile(bytes)) {
    return absl::InvalidArgumentError(
        absl::StrCat(file, " is ", std::string(foreign->name), ", not a tokenizer. ", std::string(foreign->mend)));
  }
  if (LooksLikeSentencePieceModel(bytes)) {
    return absl::InvalidArgumentError(
        absl::StrCat(file,
                     " is a SentencePiece model, which is not supported as a tokenizer. Give a tokenizer.json with "
                     "BPE, llama2.c's tokenizer.bin, or tiktoken ranks with --pattern."));
  }
  if (LooksLikeLlama2cTokenizer(bytes)) {
    if (!options.pattern.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--pattern is for tiktoken ranks; ", file, " is a tokenizer file of llama2.c. Leave it out."));
    }
    ASSIGN_OR_RETURN(TokenizerParts parts, ReadLlama2cTokenizer(bytes, file));
    return FromParts(std::move(parts));
  }
  if (LooksLikeTiktoken(bytes)) {
    if (options.pattern.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(file,
                       " holds tiktoken ranks, which do not say how text is cut into pieces. Name the pattern: "
                       "--pattern gpt2, cl100k, o200k, llama3 or qwen2."));
    }
    ASSIGN_OR_RETURN(const SplitPattern pattern, PatternOption(options));
    ASSIGN_OR_RETURN(TokenizerParts parts, ReadTiktoken(bytes, pattern, file));
    return FromParts(std::move(parts));
  }
  ASSIGN_OR_RETURN(TokenizerParts parts, ReadTokenizerJson(bytes, file));
  if (!options.pattern.empty()) {
    ASSIGN_OR_RETURN(const SplitPattern pattern, PatternOption(options));
    if (pattern != parts.pattern) {
      return absl::InvalidArgumentError(absl::StrCat("--pattern ", options.pattern, " is at odds with ", file,
                                                     ", which says \"", std::string(Name(parts.pattern)),
                                                     "\". Leave --pattern out."));
    }
  }
  parts.json = std::move(bytes);
  RETURN_IF_ERROR(ReadNeighbours(Dirname(file), &parts));
  return FromParts(std::move(parts));
}

}  // namespace quern
