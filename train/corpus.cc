#include "train/corpus.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/interrupt.h"
#include "base/lineage.h"
#include "base/progress.h"
#include "base/sha256.h"
#include "base/status_macros.h"
#include "data/json_line.h"
#include "data/text_shape.h"

namespace quern {
namespace {

constexpr char kKind[] = "tokens";

// What FOLDER/ROLE.json must say, but for the shard's own digest.
Json Description(const TextFile& text, const Tokenizer& tokenizer, IdWidth width) {
  Json json = NewArtefact(kKind);
  json["text_sha256"] = text.sha256;
  json["tokenizer_sha256"] = tokenizer.sha256();
  json["ids_dtype"] = width == IdWidth::kU16 ? "u16" : "u32";
  json["json_lines"] = text.json_lines;
  return json;
}

// The shard, if it is there, whole and of this text and tokenizer; else null.
std::shared_ptr<const TokenShard> KeptShard(const std::string& stem, const Json& description, IdWidth width,
                                            int64_t vocab_size, uint64_t* bytes) {
  absl::StatusOr<Json> kept = ReadSealedArtefact(stem + ".json", kKind);
  if (!kept.ok()) return nullptr;
  for (const auto& item : description.items()) {
    if (!kept->contains(item.key()) || (*kept)[item.key()] != item.value()) return nullptr;
  }
  absl::StatusOr<std::string> digest = Sha256File(stem + ".bin");
  absl::StatusOr<std::string> expected = JsonString(*kept, "sha256", stem);
  absl::StatusOr<int64_t> text_bytes = JsonInt(*kept, "bytes", stem, 0, INT64_MAX);
  if (!digest.ok() || !expected.ok() || !text_bytes.ok() || *digest != *expected) return nullptr;
  absl::StatusOr<TokenShard> shard = TokenShard::Open(stem + ".bin", width, vocab_size);
  if (!shard.ok()) return nullptr;
  *bytes = static_cast<uint64_t>(*text_bytes);
  return std::make_shared<const TokenShard>(*std::move(shard));
}

absl::Status EncodeInto(const TextFile& text, const Tokenizer& tokenizer, TokenShardWriter* writer, uint64_t* bytes) {
  Progress progress(absl::StrCat("encode ", Basename(text.path)), 0, "tokens");
  auto take = [&](std::span<const int32_t> ids) -> absl::Status {
    if (Interrupted()) return absl::CancelledError("interrupted while the text was encoded; nothing was trained");
    RETURN_IF_ERROR(writer->Append(ids));
    progress.Update(writer->tokens());
    return absl::OkStatus();
  };
  std::vector<int32_t> end_of_document;
  if (text.json_lines && tokenizer.eos_id().has_value()) {
    end_of_document.push_back(*tokenizer.eos_id());
  } else if (text.json_lines) {
    ASSIGN_OR_RETURN(end_of_document, tokenizer.Encode("\n"));
  }
  return ForEachDocument(text, [&](std::string_view document) -> absl::Status {
    *bytes += document.size();
    RETURN_IF_ERROR(tokenizer.EncodePieces(document, {}, take));
    return end_of_document.empty() ? absl::OkStatus() : writer->Append(end_of_document);
  });
}

}  // namespace

absl::StatusOr<TextFile> OpenText(const std::string& path, const std::string& flag) {
  TextFile text;
  text.path = path;
  ASSIGN_OR_RETURN(text.file, MappedFile::Open(path));
  const std::string_view bytes = text.file->bytes();
  if (bytes.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return absl::InvalidArgumentError(absl::StrCat(flag, " ", path, ": empty; give a text to learn from"));
  }
  if (size_t nul = bytes.find('\0'); nul != std::string_view::npos) {
    return absl::InvalidArgumentError(absl::StrCat(flag, " ", path, ": not a text: a NUL byte at offset ", nul,
                                                   "; quern prepare makes text of most files"));
  }
  text.json_lines = DetectFormat(path, "") == TextFormat::kJsonl;
  text.sha256 = Sha256(bytes);
  return text;
}

absl::Status ForEachDocument(const TextFile& text, const std::function<absl::Status(std::string_view)>& take) {
  if (!text.json_lines) return take(text.file->bytes());
  return ForEachJsonLine(text.file->bytes(), text.path, [&take](JsonLine document) { return take(document.text); });
}

absl::StatusOr<std::string_view> WholeText(const TextFile& text, std::string_view separator, std::string* buffer) {
  if (!text.json_lines) return text.file->bytes();
  buffer->clear();
  RETURN_IF_ERROR(ForEachDocument(text, [&](std::string_view document) {
    if (!buffer->empty()) buffer->append(separator);
    buffer->append(document);
    return absl::OkStatus();
  }));
  return std::string_view(*buffer);
}

absl::StatusOr<TextTokens> TokensOf(const TextFile& text, const Tokenizer& tokenizer, const std::string& folder,
                                    const std::string& role) {
  const IdWidth width = IdWidthFor(tokenizer.vocab_size());
  const std::string stem = JoinPath(folder, role);
  Json description = Description(text, tokenizer, width);
  TextTokens tokens;
  tokens.shard = KeptShard(stem, description, width, tokenizer.vocab_size(), &tokens.bytes);
  if (tokens.shard != nullptr) return tokens;
  RETURN_IF_ERROR(MakeFolders(folder));
  ASSIGN_OR_RETURN(TokenShardWriter writer, TokenShardWriter::Create(stem + ".bin", width));
  tokens.bytes = 0;
  RETURN_IF_ERROR(EncodeInto(text, tokenizer, &writer, &tokens.bytes));
  RETURN_IF_ERROR(writer.Commit());
  ASSIGN_OR_RETURN(description["sha256"], Sha256File(stem + ".bin"));
  description["bytes"] = tokens.bytes;
  description["tokens"] = writer.tokens();
  RETURN_IF_ERROR(WriteSealedArtefact(stem + ".json", description));
  ASSIGN_OR_RETURN(TokenShard shard, TokenShard::Open(stem + ".bin", width, tokenizer.vocab_size()));
  tokens.shard = std::make_shared<const TokenShard>(std::move(shard));
  return tokens;
}

}  // namespace quern
