#include "data/tokenizer/bpe_train.h"

#include <algorithm>
#include <queue>
#include <set>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "base/status_macros.h"
#include "data/tokenizer/piece_counts.h"
#include "data/tokenizer/tokenizer_parts.h"

namespace quern {
namespace {

constexpr int64_t kLargestVocab = int64_t{1} << 24;

using PairKey = uint64_t;
PairKey Key(int32_t left, int32_t right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

// The distinct pieces as one sequence of symbols; a merge writes the new token at the left symbol and takes the right
// one out. Each pair of neighbours knows where it may be, so a merge costs its occurrences, whatever a piece's length.
class Merger {
 public:
  explicit Merger(const std::vector<PieceCount>& pieces);

  // The most frequent pair and its count; the tie-break is that of bpe_train.h. Count 0 when there is none.
  struct Best {
    int32_t left = 0, right = 0;
    int64_t count = 0;
  };
  Best PopBest();
  // Replaces every occurrence of the pair by its concatenation, a new token unless the bytes are a token already, and
  // returns it.
  int32_t Merge(int32_t left, int32_t right);

  const std::vector<std::string>& tokens() const { return tokens_; }

 private:
  static constexpr int32_t kGone = -1;
  static constexpr int32_t kBoundary = -2;  // before and after each piece

  struct Pair {
    int64_t count = 0;
    std::vector<uint32_t> positions;  // of the left symbol; some are out of date
  };
  struct Candidate {
    int64_t count;
    int32_t left, right;
  };
  struct Less {
    const std::vector<std::string>* tokens;
    bool operator()(const Candidate& a, const Candidate& b) const {
      if (a.count != b.count) return a.count < b.count;
      if (int order = (*tokens)[a.left].compare((*tokens)[b.left]); order != 0) return order < 0;
      return (*tokens)[a.right] < (*tokens)[b.right];
    }
  };

  void AddPiece(const PieceCount& piece);
  void Change(int32_t left, int32_t right, int64_t by, uint32_t position);
  void MergeAt(uint32_t at, int32_t merged);

  std::vector<std::string> tokens_;
  absl::flat_hash_map<std::string, int32_t> token_ids_;
  std::vector<int32_t> symbols_;
  std::vector<uint32_t> next_, previous_, piece_;
  std::vector<int64_t> piece_counts_;
  absl::flat_hash_map<PairKey, Pair> pairs_;
  std::vector<PairKey> grown_;  // pairs that gained occurrences in this merge
  std::priority_queue<Candidate, std::vector<Candidate>, Less> queue_;
};

Merger::Merger(const std::vector<PieceCount>& pieces) : queue_(Less{&tokens_}) {
  for (int b = 0; b < 256; ++b) {
    tokens_.emplace_back(1, static_cast<char>(b));
    token_ids_.emplace(tokens_.back(), b);
  }
  symbols_.push_back(kBoundary);
  for (const PieceCount& piece : pieces) AddPiece(piece);
  next_.resize(symbols_.size());
  previous_.resize(symbols_.size());
  for (uint32_t i = 0; i < symbols_.size(); ++i) {
    next_[i] = i + 1;
    previous_[i] = i - 1;
  }
  for (uint32_t i = 1; i + 1 < symbols_.size(); ++i) {
    if (symbols_[i] >= 0 && symbols_[i + 1] >= 0) Change(symbols_[i], symbols_[i + 1], piece_counts_[piece_[i]], i);
  }
  for (const auto& [key, pair] : pairs_) {
    queue_.push({pair.count, static_cast<int32_t>(key >> 32), static_cast<int32_t>(key)});
  }
}

void Merger::AddPiece(const PieceCount& piece) {
  piece_.resize(symbols_.size(), 0);
  for (char c : piece.piece) {
    symbols_.push_back(static_cast<uint8_t>(c));
    piece_.push_back(static_cast<uint32_t>(piece_counts_.size()));
  }
  symbols_.push_back(kBoundary);
  piece_.push_back(0);
  piece_counts_.push_back(piece.count);
}

void Merger::Change(int32_t left, int32_t right, int64_t by, uint32_t position) {
  Pair& pair = pairs_[Key(left, right)];
  pair.count += by;
  if (by > 0) pair.positions.push_back(position);
}

Merger::Best Merger::PopBest() {
  while (!queue_.empty()) {
    const Candidate top = queue_.top();
    queue_.pop();
    auto it = pairs_.find(Key(top.left, top.right));
    if (it == pairs_.end() || it->second.count <= 0) continue;
    if (it->second.count == top.count) return {top.left, top.right, top.count};
    // It has lost occurrences since it was queued (or gained some, and is queued again).
    if (it->second.count < top.count) queue_.push({it->second.count, top.left, top.right});
  }
  return {};
}

void Merger::MergeAt(uint32_t at, int32_t merged) {
  const uint32_t gone = next_[at], before = previous_[at], after = next_[gone];
  const int64_t count = piece_counts_[piece_[at]];
  if (symbols_[before] >= 0) {
    Change(symbols_[before], symbols_[at], -count, before);
    Change(symbols_[before], merged, count, before);
    grown_.push_back(Key(symbols_[before], merged));
  }
  if (symbols_[after] >= 0) {
    Change(symbols_[gone], symbols_[after], -count, gone);
    Change(merged, symbols_[after], count, at);
    grown_.push_back(Key(merged, symbols_[after]));
  }
  symbols_[at] = merged;
  symbols_[gone] = kGone;
  next_[at] = after;
  previous_[after] = at;
}

int32_t Merger::Merge(int32_t left, int32_t right) {
  auto [token, added] = token_ids_.try_emplace(tokens_[left] + tokens_[right], static_cast<int32_t>(tokens_.size()));
  if (added) tokens_.push_back(token->first);
  const int32_t merged = token->second;

  auto it = pairs_.find(Key(left, right));
  std::vector<uint32_t> positions = std::move(it->second.positions);
  pairs_.erase(it);
  // From left to right within a piece: of "aaa" the first two are merged.
  std::sort(positions.begin(), positions.end());
  grown_.clear();
  for (uint32_t at : positions) {
    if (symbols_[at] == left && symbols_[next_[at]] == right) MergeAt(at, merged);
  }
  pairs_.erase(Key(left, right));  // merging "aaa" counted it down once more
  std::sort(grown_.begin(), grown_.end());
  grown_.erase(std::unique(grown_.begin(), grown_.end()), grown_.end());
  for (PairKey key : grown_) {
    auto pair = pairs_.find(key);
    if (pair == pairs_.end() || pair->second.count <= 0) continue;
    queue_.push({pair->second.count, static_cast<int32_t>(key >> 32), static_cast<int32_t>(key)});
  }
  return merged;
}

absl::Status CheckOptions(std::string_view text, const BpeTrainOptions& options) {
  const int64_t least = 256 + static_cast<int64_t>(options.special_tokens.size());
  if (options.vocab_size < least || options.vocab_size > kLargestVocab) {
    return absl::InvalidArgumentError(absl::StrCat("vocab_size ", options.vocab_size, " is outside ", least,
                                                   " (the bytes and ", options.special_tokens.size(),
                                                   " special tokens) to ", kLargestVocab));
  }
  std::set<std::string> names;
  for (const std::string& name : options.special_tokens) {
    if (name.empty()) return absl::InvalidArgumentError("a special token is empty");
    if (!names.insert(name).second)
      return absl::InvalidArgumentError(absl::StrCat("special token ", name, " is there twice"));
  }
  if (text.empty()) return absl::InvalidArgumentError("the training text is empty");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Tokenizer> TrainBpe(std::string_view text, const BpeTrainOptions& options) {
  RETURN_IF_ERROR(CheckOptions(text, options));
  TokenizerParts parts;
  parts.pattern = SplitPattern::kGpt2;
  for (const std::string& name : options.special_tokens) parts.added_tokens.push_back({0, name, /*special=*/true});
  std::vector<const AddedToken*> special;
  for (const AddedToken& token : parts.added_tokens) special.push_back(&token);

  const std::vector<PieceCount> pieces = CountPieces(text, parts.pattern, AddedTokenMatcher(std::move(special)));
  size_t symbols = 1;
  for (const PieceCount& piece : pieces) symbols += piece.piece.size() + 1;
  if (symbols >= UINT32_MAX) {
    return absl::InvalidArgumentError("the distinct pieces of the training text exceed 4 GB; train on a part of it");
  }
  Merger merger(pieces);
  const int64_t wanted = options.vocab_size - static_cast<int64_t>(options.special_tokens.size());
  Progress progress("merging", wanted - 256, "merges");
  while (static_cast<int64_t>(merger.tokens().size()) < wanted) {
    if (Interrupted()) return absl::CancelledError("interrupted while training the tokenizer; nothing was written");
    const Merger::Best best = merger.PopBest();
    if (best.count < std::max<int64_t>(options.min_count, 1)) break;
    const int32_t merged = merger.Merge(best.left, best.right);
    parts.merges.push_back({best.left, best.right, merged, static_cast<int32_t>(parts.merges.size())});
    progress.Update(static_cast<int64_t>(merger.tokens().size()) - 256);
  }
  progress.Finish();

  for (size_t id = 0; id < merger.tokens().size(); ++id)
    parts.tokens.Set(static_cast<int64_t>(id), merger.tokens()[id]);
  for (AddedToken& token : parts.added_tokens) {
    token.id = static_cast<int32_t>(parts.tokens.size());
    parts.tokens.Set(token.id, token.content);
  }
  return Tokenizer::FromParts(std::move(parts));
}

}  // namespace quern
