// Tokenizer::Encode: added tokens out of the text, normalisation, safe parts, and the parts in parallel.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "base/thread_pool.h"
#include "data/tokenizer/nfc.h"
#include "data/tokenizer/sentencepiece_bpe.h"
#include "data/tokenizer/tokenizer_impl.h"

namespace quern {
namespace {

constexpr size_t kPartBytes = size_t{1} << 18;
constexpr size_t kBatchParts = 64;
constexpr size_t kLongestPart = size_t{1} << 30;

absl::Status NoToken(std::string_view text, size_t at, const char* of_what) {
  const CodePoint point = ReadCodePoint(text.data() + at, text.data() + text.size());
  const std::string shown =
      point.value < 0 ? absl::StrFormat("byte 0x%02X", static_cast<uint8_t>(text[at]))
                      : absl::StrFormat("\"%s\" (U+%04X)", std::string(text.substr(at, point.size)), point.value);
  return absl::InvalidArgumentError(
      absl::StrCat(shown, " at byte ", at, of_what,
                   " is not in the tokenizer's vocabulary. Train the tokenizer on text that has it, or use --type bpe "
                   "or byte, which encode anything."));
}

}  // namespace

std::optional<std::string> Tokenizer::Impl::Normalize(std::string_view part, bool continues) const {
  if (parts.dummy_prefix) {
    return absl::StrCat(continues ? "" : " ", parts.metaspace ? MetaspaceToSpace(part) : std::string(part));
  }
  return parts.nfc ? NormalizeNfc(part) : std::nullopt;
}

Tokenizer::Impl::Plan Tokenizer::Impl::MakePlan(std::string_view text, const EncodeOptions& options) const {
  Plan plan;
  const char* bare = options.continues ? text.data() : nullptr;  // a part that begins here gets no space in front
  const auto split = [&plan](const AddedTokenMatcher& matcher, std::string_view part, const auto& add) {
    if (part.empty()) return;
    if (matcher.empty()) return add(part);
    std::vector<TextPart> found;
    matcher.Split(part, &found);
    for (const TextPart& piece : found) {
      if (piece.id >= 0) {
        plan.work.push_back({piece.text, piece.id});
      } else {
        add(piece.text);
      }
    }
  };
  const auto cut = [&](std::string_view part) {
    // Bytes and characters can be cut where words can.
    const SplitPattern pattern = parts.kind == TokenizerKind::kBpe ? parts.pattern : SplitPattern::kGpt2;
    bool add_space = parts.add_prefix_space && part[0] != ' ' && part.data() != bare;
    for (std::string_view piece : SafeParts(part, pattern, kPartBytes)) {
      plan.work.push_back({piece, -1, std::exchange(add_space, false)});
    }
  };
  split(raw[options.parse_special], text, [&](std::string_view part) {
    const bool is_bare = part.data() == bare;
    std::optional<std::string> other = Normalize(part, is_bare);
    if (other.has_value()) part = plan.normalized.emplace_back(*std::move(other));
    if (is_bare) bare = part.data();
    split(normalized[options.parse_special], part, cut);
  });
  return plan;
}

size_t Tokenizer::Impl::Encode(const Work& work, std::vector<int32_t>* out) const {
  if (work.id >= 0) {
    out->push_back(work.id);
    return Bpe::kNoError;
  }
  switch (parts.kind) {
    case TokenizerKind::kChar:
      return EncodeChars(work.text, out);
    case TokenizerKind::kByte: {
      const size_t size = out->size();
      out->resize(size + work.text.size());
      std::transform(work.text.begin(), work.text.end(), out->begin() + size,
                     [](char c) { return static_cast<uint8_t>(c); });
      return Bpe::kNoError;
    }
    case TokenizerKind::kBpe:
      break;
  }
  if (!work.add_space) return EncodeBpe(work.text, out);
  const size_t bad = EncodeBpe(absl::StrCat(" ", std::string(work.text)), out);
  return bad == Bpe::kNoError || bad == 0 ? bad : bad - 1;
}

size_t Tokenizer::Impl::EncodeChars(std::string_view text, std::vector<int32_t>* out) const {
  out->reserve(out->size() + text.size());
  const char* end = text.data() + text.size();
  for (const char* p = text.data(); p < end;) {
    const CodePoint point = ReadCodePoint(p, end);
    const bool inside = point.value >= 0 && point.value < static_cast<int64_t>(char_ids.size());
    int32_t id = inside ? char_ids[point.value] : -1;
    if (id < 0) {
      if (!parts.unk_id.has_value()) return p - text.data();
      id = *parts.unk_id;
    }
    out->push_back(id);
    p += point.size;
  }
  return Bpe::kNoError;
}

size_t Tokenizer::Impl::EncodeBpe(std::string_view text, std::vector<int32_t>* out) const {
  std::unique_ptr<Bpe::Scratch> scratch;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!idle_.empty()) {
      scratch = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (scratch == nullptr) scratch = std::make_unique<Bpe::Scratch>();
  const size_t bad = bpe->Encode(text, *scratch, out);
  std::lock_guard<std::mutex> lock(mutex_);
  idle_.push_back(std::move(scratch));
  return bad;
}

absl::StatusOr<std::vector<int32_t>> Tokenizer::FirstIds(const EncodeOptions& options) const {
  std::vector<int32_t> ids;
  if (options.add_special) ids = impl_->parts.prefix_ids;
  if (options.add_bos) {
    const std::optional<int32_t> bos = bos_id();
    if (!bos.has_value()) {
      return absl::InvalidArgumentError("add_bos: this tokenizer has no BOS token; leave --add_bos out.");
    }
    if (ids.empty() || ids.front() != *bos) ids.insert(ids.begin(), *bos);
  }
  return ids;
}

absl::Status Tokenizer::EncodePieces(std::string_view text, const EncodeOptions& options,
                                     const std::function<absl::Status(std::span<const int32_t>)>& take) const {
  ASSIGN_OR_RETURN(const std::vector<int32_t> first, FirstIds(options));
  if (!first.empty()) RETURN_IF_ERROR(take(first));
  const Impl::Plan plan = impl_->MakePlan(text, options);
  for (const Impl::Work& work : plan.work) {
    if (work.text.size() > kLongestPart && kind() == TokenizerKind::kBpe) {
      return absl::InvalidArgumentError("the text has a stretch of more than 1 GiB without a place to cut it");
    }
  }
  for (size_t begin = 0; begin < plan.work.size(); begin += kBatchParts) {
    const std::span batch(plan.work.data() + begin, std::min(kBatchParts, plan.work.size() - begin));
    std::vector<std::vector<int32_t>> ids(batch.size());
    std::vector<size_t> bad(batch.size());
    ParallelFor(static_cast<int64_t>(batch.size()), 1, [&](int64_t from, int64_t to) {
      for (int64_t i = from; i < to; ++i) bad[i] = impl_->Encode(batch[i], &ids[i]);
    });
    for (size_t i = 0; i < batch.size(); ++i) {
      if (bad[i] != Bpe::kNoError) {
        const std::string_view part = batch[i].text;
        const bool given = part.data() >= text.data() && part.data() < text.data() + text.size();
        return given ? NoToken(text, part.data() - text.data() + bad[i], "")
                     : NoToken(part, bad[i], " of the normalised text");
      }
      RETURN_IF_ERROR(take(ids[i]));
    }
  }
  if (options.add_special && !impl_->parts.suffix_ids.empty()) RETURN_IF_ERROR(take(impl_->parts.suffix_ids));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<int32_t>> Tokenizer::Encode(std::string_view text, const EncodeOptions& options) const {
  std::vector<int32_t> ids;
  RETURN_IF_ERROR(EncodePieces(text, options, [&](std::span<const int32_t> piece) {
    ids.insert(ids.end(), piece.begin(), piece.end());
    return absl::OkStatus();
  }));
  return ids;
}

}  // namespace quern
