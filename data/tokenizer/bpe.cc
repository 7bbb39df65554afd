#include "data/tokenizer/bpe.h"

#include <algorithm>
#include <functional>

namespace quern {
namespace {

constexpr size_t kShort = 48;

}  // namespace

Bpe::Bpe(const TokenizerParts& parts) : parts_(parts), pairs_(parts.merges) {
  std::vector<bool> added(parts.tokens.size(), false);
  for (const AddedToken& token : parts.added_tokens) added[token.id] = true;
  byte_ids_.fill(-1);
  std::copy(parts.byte_ids.begin(), parts.byte_ids.end(), byte_ids_.begin());
  for (int32_t id : parts.byte_ids) added[id] = true;
  for (int32_t id : parts.decode_only) added[id] = true;
  for (int64_t id = 0; id < parts.tokens.size(); ++id) {
    const std::string_view bytes = parts.tokens.Bytes(id);
    if (added[id] || bytes.empty()) continue;
    const char* const end = bytes.data() + bytes.size();
    if (!parts.byte_ids.empty()) {
      const CodePoint point = ReadCodePoint(bytes.data(), end);
      if (point.value >= 0 && point.size == bytes.size()) characters_.emplace(bytes, static_cast<int32_t>(id));
    } else if (bytes.size() == 1) {
      byte_ids_[static_cast<uint8_t>(bytes[0])] = static_cast<int32_t>(id);
    }
    if (parts.ignore_merges) pieces_.emplace(bytes, static_cast<int32_t>(id));
  }
}

// The ids so far, with room for what comes next checked once a piece.
struct Bpe::Writer {
  explicit Writer(std::vector<int32_t>* out, size_t expected) : ids(out), size(out->size()) {
    ids->resize(size + expected);
  }
  int32_t* Room(size_t count) {
    if (size + count > ids->size()) ids->resize(std::max(size + count, ids->size() + ids->size() / 2));
    return ids->data() + size;
  }
  ~Writer() { ids->resize(size); }

  std::vector<int32_t>* ids;
  size_t size;
};

template <SplitPattern kPattern>
size_t Bpe::EncodePieces(std::string_view text, Scratch& scratch, std::vector<int32_t>* out) const {
  const CharClasses& classes = CharClasses::Get();
  const char* const end = text.data() + text.size();
  Writer writer(out, text.size() / 4 + 16);
  for (const char* p = text.data(); p < end;) {
    const char* const q = PieceEnd<kPattern>(classes, p, end);
    const size_t size = q - p;
    PieceCache::Key key;
    if (size <= PieceCache::kLongestPiece) {
      key = PieceCache::MakeKey(p, size, end - p >= 16);
      if (const PieceCache::Entry* entry = scratch.cache.Find(key)) {
        std::memcpy(writer.Room(PieceCache::kMostIds), entry->ids.data(), sizeof(entry->ids));
        writer.size += entry->count();
        p = q;
        continue;
      }
    }
    size_t bad = 0;
    const size_t count = Merge({p, size}, scratch, &bad);
    if (count == 0) return p - text.data() + bad;
    if (size <= PieceCache::kLongestPiece && count <= PieceCache::kMostIds) {
      scratch.cache.Insert(key, scratch.ids.data(), count);
    }
    std::copy_n(scratch.ids.data(), count, writer.Room(count));
    writer.size += count;
    p = q;
  }
  return kNoError;
}

size_t Bpe::Encode(std::string_view text, Scratch& scratch, std::vector<int32_t>* out) const {
  switch (parts_.pattern) {
    case SplitPattern::kWords:
      return EncodePieces<SplitPattern::kWords>(text, scratch, out);
    case SplitPattern::kNone:
      return EncodePieces<SplitPattern::kNone>(text, scratch, out);
    case SplitPattern::kGpt2:
      return EncodePieces<SplitPattern::kGpt2>(text, scratch, out);
    case SplitPattern::kCl100k:
      return EncodePieces<SplitPattern::kCl100k>(text, scratch, out);
    case SplitPattern::kLlama3:
      return EncodePieces<SplitPattern::kLlama3>(text, scratch, out);
    case SplitPattern::kQwen2:
      return EncodePieces<SplitPattern::kQwen2>(text, scratch, out);
    case SplitPattern::kO200k:
      return EncodePieces<SplitPattern::kO200k>(text, scratch, out);
  }
  return kNoError;
}

void Bpe::Characters(std::string_view piece, std::vector<int32_t>* ids) const {
  ids->clear();
  const char* const end = piece.data() + piece.size();
  for (const char* p = piece.data(); p < end;) {
    const uint32_t size = ReadCodePoint(p, end).size;
    if (auto it = characters_.find(std::string_view(p, size)); it != characters_.end()) {
      ids->push_back(it->second);
    } else {
      for (uint32_t i = 0; i < size; ++i) ids->push_back(byte_ids_[static_cast<uint8_t>(p[i])]);
    }
    p += size;
  }
}

bool Bpe::Symbols(std::string_view piece, std::vector<int32_t>* ids, size_t* bad) const {
  if (!parts_.byte_ids.empty()) {
    Characters(piece, ids);
    return true;
  }
  ids->resize(piece.size());
  size_t count = 0;
  bool unknown_before = false;
  for (size_t i = 0; i < piece.size(); ++i) {
    int32_t id = byte_ids_[static_cast<uint8_t>(piece[i])];
    const bool unknown = id < 0;
    if (unknown) {
      if (!parts_.unk_id.has_value()) {
        *bad = i;
        return false;
      }
      if (unknown_before && parts_.fuse_unk) continue;
      id = *parts_.unk_id;
    }
    unknown_before = unknown;
    (*ids)[count++] = id;
  }
  ids->resize(count);
  return true;
}

size_t Bpe::Merge(std::string_view piece, Scratch& scratch, size_t* bad) const {
  if (!pieces_.empty()) {
    if (auto it = pieces_.find(piece); it != pieces_.end()) {
      scratch.ids.assign(1, it->second);
      return 1;
    }
  }
  if (!Symbols(piece, &scratch.ids, bad)) return 0;
  return scratch.ids.size() <= kShort ? MergeShort(scratch) : MergeLong(scratch);
}

size_t Bpe::MergeShort(Scratch& scratch) const {
  PairRanks::Merge merges[kShort];  // of the pair that starts at each position
  int32_t* ids = scratch.ids.data();
  size_t count = scratch.ids.size();
  for (size_t i = 0; i + 1 < count; ++i) merges[i] = pairs_.Find(ids[i], ids[i + 1]);
  while (count > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < count; ++i) {
      if (merges[i].rank < merges[best].rank) best = i;
    }
    if (merges[best].rank == PairRanks::kNoRank) break;
    ids[best] = merges[best].merged;
    --count;
    for (size_t i = best + 1; i < count; ++i) {
      ids[i] = ids[i + 1];
      merges[i - 1] = merges[i];
    }
    if (best > 0) merges[best - 1] = pairs_.Find(ids[best - 1], ids[best]);
    if (best + 1 < count) merges[best] = pairs_.Find(ids[best], ids[best + 1]);
  }
  return count;
}

size_t Bpe::MergeLong(Scratch& scratch) const {
  std::vector<int32_t>&ids = scratch.ids, &next = scratch.next, &previous = scratch.previous;
  std::vector<uint32_t>& ranks = scratch.ranks;  // of the pair that starts at each position
  std::vector<uint64_t>& heap = scratch.heap;    // pairs that were there once; those that still are count
  const int32_t count = static_cast<int32_t>(ids.size());
  next.resize(count);
  previous.resize(count);
  ranks.assign(count, PairRanks::kNoRank);
  heap.clear();
  const auto rank_pair = [&](int32_t at) {
    ranks[at] = next[at] < count ? pairs_.Find(ids[at], ids[next[at]]).rank : PairRanks::kNoRank;
    return ranks[at] != PairRanks::kNoRank;
  };
  const auto entry = [&](int32_t at) { return uint64_t{ranks[at]} << 32 | static_cast<uint32_t>(at); };
  for (int32_t i = 0; i < count; ++i) {
    next[i] = i + 1;
    previous[i] = i - 1;
  }
  for (int32_t i = 0; i + 1 < count; ++i) {
    if (rank_pair(i)) heap.push_back(entry(i));
  }
  std::make_heap(heap.begin(), heap.end(), std::greater<>());
  const auto push = [&](int32_t at) {
    if (!rank_pair(at)) return;
    heap.push_back(entry(at));
    std::push_heap(heap.begin(), heap.end(), std::greater<>());
  };
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    const uint64_t top = heap.back();
    heap.pop_back();
    const int32_t at = static_cast<int32_t>(top & UINT32_MAX);
    if (ranks[at] != top >> 32) continue;
    const int32_t gone = next[at];
    ids[at] = pairs_.Find(ids[at], ids[gone]).merged;
    ranks[gone] = PairRanks::kNoRank;
    next[at] = next[gone];
    if (next[at] < count) previous[next[at]] = at;
    if (previous[at] >= 0) push(previous[at]);
    push(at);
  }
  size_t size = 0;
  for (int32_t i = 0; i < count; i = next[i]) ids[size++] = ids[i];
  return size;
}

}  // namespace quern
