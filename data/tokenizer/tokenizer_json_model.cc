// The `model` of a tokenizer.json: vocabulary and merges.
#include <algorithm>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "data/tokenizer/byte_alphabet.h"
#include "data/tokenizer/char_class.h"
#include "data/tokenizer/sentencepiece_bpe.h"
#include "data/tokenizer/tokenizer_json.h"

namespace quern {
namespace tokenizer_json_internal {
namespace {

using Vocab = absl::flat_hash_map<std::string_view, int32_t>;  // by the strings of the file

std::string Quoted(std::string_view text) { return WriteJsonLine(std::string(text.substr(0, 60))); }

absl::Status Refuse(const std::string& what, const std::string& why) {
  return absl::InvalidArgumentError(absl::StrCat(what, ": ", why));
}

absl::StatusOr<Vocab> ReadVocab(const Json& model, const std::string& what, TokenTable* tokens) {
  auto it = model.find("vocab");
  if (it == model.end() || !it->is_object()) return Refuse(what, "model.vocab is not an object of token: id");
  const int64_t greatest = GreatestId(static_cast<int64_t>(it->size()));
  Vocab vocab;
  vocab.reserve(it->size());
  for (const auto& item : it->get_ref<const Json::object_t&>()) {
    const Json& id = item.second;
    if (!id.is_number_integer() || id.get<int64_t>() < 0 || id.get<int64_t>() > greatest) {
      return Refuse(what, absl::StrCat("model.vocab: the id of ", Quoted(item.first), " is ",
                                       WriteJsonLine(id).substr(0, 40), ", not an integer in [0, ", greatest, "]"));
    }
    const int32_t number = id.get<int32_t>();
    if (tokens->Has(number)) return Refuse(what, absl::StrCat("model.vocab: two tokens have the id ", number));
    tokens->Set(number, item.first);
    vocab.emplace(item.first, number);
  }
  return vocab;
}

// Replaces the strings of the file by the bytes they stand for; a string outside the alphabet (a special token written
// out) stands for itself.
TokenTable ToBytes(const TokenTable& strings) {
  TokenTable tokens;
  for (int64_t id = 0; id < strings.size(); ++id) {
    if (!strings.Has(id)) continue;
    const std::optional<std::string> bytes = AlphabetToBytes(strings.Bytes(id));
    tokens.Set(id, bytes.has_value() ? *bytes : strings.Bytes(id));
  }
  return tokens;
}

// The same for SentencePiece's strings: U+2581 is a space, and <0x0A> a byte, whose id goes into `byte_ids`. All 256
// must be there. Ids of tokens with a plain space go into `decode_only`.
absl::StatusOr<TokenTable> ToText(const TokenTable& strings, const std::string& what, std::vector<int32_t>* byte_ids,
                                  std::vector<int32_t>* decode_only) {
  TokenTable tokens;
  std::vector<int32_t> ids(256, -1);
  for (int64_t id = 0; id < strings.size(); ++id) {
    if (!strings.Has(id)) continue;
    // Text never holds a space when it is looked up: the normaliser has made it U+2581.
    if (strings.Bytes(id).find(' ') != std::string_view::npos) decode_only->push_back(static_cast<int32_t>(id));
    const std::optional<uint8_t> byte = ByteOfName(strings.Bytes(id));
    if (byte.has_value()) {
      const char c = static_cast<char>(*byte);
      tokens.Set(id, {&c, 1});
      ids[*byte] = static_cast<int32_t>(id);
    } else {
      tokens.Set(id, MetaspaceToSpace(strings.Bytes(id)));
    }
  }
  for (int byte = 0; byte < 256; ++byte) {
    if (ids[byte] >= 0) continue;
    return Refuse(what, absl::StrCat("model BPE with byte_fallback, but without the token ",
                                     NameOfByte(static_cast<uint8_t>(byte)), "; all 256 bytes must be there"));
  }
  *byte_ids = std::move(ids);
  return tokens;
}

absl::StatusOr<std::pair<std::string_view, std::string_view>> ReadPair(const Json& merge, size_t rank,
                                                                       const std::string& what) {
  std::string_view left, right;
  if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
    left = merge[0].get_ref<const std::string&>();
    right = merge[1].get_ref<const std::string&>();
  } else if (merge.is_string()) {
    const std::string_view both = merge.get_ref<const std::string&>();
    const size_t space = both.find(' ');
    if (space != std::string_view::npos && both.find(' ', space + 1) == std::string_view::npos) {
      left = both.substr(0, space);
      right = both.substr(space + 1);
    }
  }
  if (left.empty() || right.empty()) {
    return Refuse(what, absl::StrCat("model.merges[", rank, "] is ", WriteJsonLine(merge).substr(0, 80),
                                     ", not a pair of tokens"));
  }
  return std::pair{left, right};
}

// `skip_spaces`: merges of tokens with a plain space are left out. They are never reached, and written as "a b" they
// have no one meaning.
absl::Status ReadMerges(const Json& model, const std::string& what, const Vocab& vocab, bool skip_spaces,
                        std::vector<BpeMerge>* merges) {
  auto it = model.find("merges");
  if (it == model.end() || !it->is_array()) return Refuse(what, "model.merges is not an array of pairs");
  merges->reserve(it->size());
  std::string joined;
  for (size_t rank = 0; rank < it->size(); ++rank) {
    const Json& merge = (*it)[rank];
    if (skip_spaces && merge.is_string()) {
      const std::string& both = merge.get_ref<const std::string&>();
      if (std::count(both.begin(), both.end(), ' ') > 1) continue;
    }
    ASSIGN_OR_RETURN(const auto pair, ReadPair(merge, rank, what));
    joined.assign(pair.first);
    joined.append(pair.second);
    int32_t ids[3];
    const std::string_view names[3] = {pair.first, pair.second, joined};
    for (int i = 0; i < 3; ++i) {
      auto token = vocab.find(names[i]);
      if (token == vocab.end()) {
        return Refuse(what, absl::StrCat("model.merges[", rank, "] needs the token ", Quoted(names[i]),
                                         ", which model.vocab lacks"));
      }
      ids[i] = token->second;
    }
    merges->push_back({ids[0], ids[1], ids[2], static_cast<int32_t>(rank)});
  }
  return absl::OkStatus();
}

// Settings that change the ids and are not supported; null, "", false and 0 leave them as they are.
absl::Status CheckUnset(const Json& model, const std::string& what, const char* field) {
  auto it = model.find(field);
  if (it == model.end() || it->is_null() || *it == "" || *it == false || (it->is_number() && *it == 0)) {
    return absl::OkStatus();
  }
  return Refuse(what, absl::StrCat("model.", field, " is ", WriteJsonLine(*it).substr(0, 60),
                                   ", which is not supported; byte-level BPE leaves it unset"));
}

absl::Status ReadUnknown(const Json& model, const std::string& what, const Vocab& vocab, TokenizerParts* parts) {
  ASSIGN_OR_RETURN(const std::string token, JsonStringOr(model, "unk_token", absl::StrCat(what, ": model"), ""));
  if (token.empty()) return absl::OkStatus();
  if (auto it = vocab.find(token); it != vocab.end()) {
    parts->unk_id = it->second;
  } else if (parts->kind == TokenizerKind::kBpe) {
    return Refuse(what, absl::StrCat("model.unk_token ", Quoted(token), " is not in model.vocab"));
  }
  return absl::OkStatus();
}

absl::Status ReadBpe(const Json& model, const std::string& what, TokenizerParts* parts) {
  for (const char* field : {"dropout", "continuing_subword_prefix", "end_of_word_suffix"}) {
    RETURN_IF_ERROR(CheckUnset(model, what, field));
  }
  TokenTable strings;
  ASSIGN_OR_RETURN(const Vocab vocab, ReadVocab(model, what, &strings));
  ASSIGN_OR_RETURN(const bool byte_fallback, JsonBoolOr(model, "byte_fallback", absl::StrCat(what, ": model"), false));
  RETURN_IF_ERROR(ReadMerges(model, what, vocab, /*skip_spaces=*/byte_fallback, &parts->merges));
  RETURN_IF_ERROR(ReadUnknown(model, what, vocab, parts));
  ASSIGN_OR_RETURN(parts->ignore_merges, JsonBoolOr(model, "ignore_merges", absl::StrCat(what, ": model"), false));
  ASSIGN_OR_RETURN(parts->fuse_unk, JsonBoolOr(model, "fuse_unk", absl::StrCat(what, ": model"), false));
  if (byte_fallback) {
    if (parts->ignore_merges) return Refuse(what, "model.ignore_merges is not supported with byte_fallback");
    ASSIGN_OR_RETURN(parts->tokens, ToText(strings, what, &parts->byte_ids, &parts->decode_only));
    return absl::OkStatus();
  }
  parts->tokens = ToBytes(strings);
  bool bytes_only = parts->merges.empty() && vocab.size() == 256;
  for (int id = 0; id < 256 && bytes_only; ++id) {
    const std::string_view token = parts->tokens.Bytes(id);
    bytes_only = token.size() == 1 && static_cast<uint8_t>(token[0]) == id;
  }
  parts->kind = bytes_only ? TokenizerKind::kByte : TokenizerKind::kBpe;
  return absl::OkStatus();
}

absl::Status ReadWordLevel(const Json& model, const std::string& what, TokenizerParts* parts) {
  parts->kind = TokenizerKind::kChar;
  ASSIGN_OR_RETURN(const Vocab vocab, ReadVocab(model, what, &parts->tokens));
  RETURN_IF_ERROR(ReadUnknown(model, what, vocab, parts));
  for (int64_t id = 0; id < parts->tokens.size(); ++id) {
    const std::string_view token = parts->tokens.Bytes(id);
    if (!parts->tokens.Has(id) || id == parts->unk_id) continue;
    if (token.empty() || ReadCodePoint(token.data(), token.data() + token.size()).size != token.size()) {
      return Refuse(what, absl::StrCat("model WordLevel with the token ", Quoted(token),
                                       " is not supported; only single characters are (`quern tokenizer train --type "
                                       "char` makes such a file)"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ReadModel(const Json& model, const std::string& what, TokenizerParts* parts) {
  ASSIGN_OR_RETURN(std::string type, JsonStringOr(model, "type", absl::StrCat(what, ": model"), ""));
  if (type.empty() && model.contains("merges")) type = "BPE";  // files of 2020 leave it out
  if (type == "BPE") return ReadBpe(model, what, parts);
  if (type == "WordLevel") return ReadWordLevel(model, what, parts);
  return Refuse(what, absl::StrCat("model ", type.empty() ? "without a type" : Quoted(type),
                                   " is not supported; byte-level BPE is, and WordLevel over single characters"));
}

}  // namespace tokenizer_json_internal
}  // namespace quern
