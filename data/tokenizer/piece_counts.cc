#include "data/tokenizer/piece_counts.h"

#include <algorithm>
#include <mutex>

#include "absl/container/flat_hash_map.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "base/thread_pool.h"

namespace quern {
namespace {

constexpr size_t kPartBytes = size_t{1} << 20;

using Counts = absl::flat_hash_map<std::string_view, int64_t>;

}  // namespace

std::vector<PieceCount> CountPieces(std::string_view text, SplitPattern pattern, const AddedTokenMatcher& special) {
  std::vector<TextPart> found;
  if (special.empty()) {
    found.push_back({text});
  } else {
    special.Split(text, &found);
  }
  // Short texts between special tokens go together in one part.
  std::vector<std::vector<std::string_view>> parts(1);
  size_t bytes = 0;
  for (const TextPart& part : found) {
    if (part.id >= 0) continue;
    for (std::string_view piece : SafeParts(part.text, pattern, kPartBytes)) {
      parts.back().push_back(piece);
      bytes += piece.size();
      if (bytes < kPartBytes) continue;
      parts.emplace_back();
      bytes = 0;
    }
  }

  Progress progress("counting", static_cast<int64_t>(text.size()), "bytes");
  std::mutex mutex;
  Counts total;
  int64_t done = 0;
  ParallelFor(static_cast<int64_t>(parts.size()), 1, [&](int64_t begin, int64_t end) {
    Counts counts;
    for (int64_t i = begin; i < end && !Interrupted(); ++i) {
      int64_t read = 0;
      for (std::string_view part : parts[i]) {
        for (std::string_view piece : SplitPieces(part, pattern)) ++counts[piece];
        read += static_cast<int64_t>(part.size());
      }
      std::lock_guard<std::mutex> lock(mutex);
      progress.Update(done += read);
    }
    std::lock_guard<std::mutex> lock(mutex);
    if (total.empty()) {
      total = std::move(counts);
    } else {
      for (const auto& [piece, count] : counts) total[piece] += count;
    }
  });
  std::vector<PieceCount> pieces;
  pieces.reserve(total.size());
  for (const auto& [piece, count] : total) pieces.push_back({piece, count});
  std::sort(pieces.begin(), pieces.end(), [](const PieceCount& a, const PieceCount& b) { return a.piece < b.piece; });
  return pieces;
}

}  // namespace quern
