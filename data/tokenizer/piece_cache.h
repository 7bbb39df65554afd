// Pieces seen lately and their ids: most of a text is a few thousand words.
#ifndef QUERN_DATA_TOKENIZER_PIECE_CACHE_H_
#define QUERN_DATA_TOKENIZER_PIECE_CACHE_H_

#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

namespace quern {

// Holds pieces of at most 15 bytes that have at most four ids, two to a cache line; a new piece pushes out the older of
// the two in its line. What is held never changes a result. One per thread that encodes; 2 MiB.
class PieceCache {
 public:
  static constexpr size_t kLongestPiece = 15;
  static constexpr size_t kMostIds = 4;

  // A piece as two words: its bytes, then zeros, and its length in the last byte.
  struct Key {
    uint64_t low, high;
  };
  struct Entry {
    uint64_t low = 0, high = 0;  // of high, bits 60 to 63 hold the number of ids, not part of the key
    std::array<int32_t, kMostIds> ids{};
    size_t count() const { return high >> 60; }
  };

  PieceCache() : lines_(size_t{1} << kBits) {}

  // `size` in 1..15; 16 bytes at `p` may be read where `readable` says so.
  static Key MakeKey(const char* p, size_t size, bool readable) {
    Key key = {0, 0};
    if (readable) {
      std::memcpy(&key, p, 16);
      key.low &= kMasks[size].low;
      key.high &= kMasks[size].high;
    } else {
      std::memcpy(&key, p, size);
    }
    key.high |= uint64_t{size} << 56;
    return key;
  }

  const Entry* Find(Key key) const {
    const Line& line = lines_[Slot(key)];
    for (const Entry& entry : line) {
      if (entry.low == key.low && (entry.high & kKeyBits) == key.high) return &entry;
    }
    return nullptr;
  }

  // `count` in 1..4.
  void Insert(Key key, const int32_t* ids, size_t count) {
    Line& line = lines_[Slot(key)];
    line[1] = line[0];
    line[0].low = key.low;
    line[0].high = key.high | uint64_t{count} << 60;
    for (size_t i = 0; i < count; ++i) line[0].ids[i] = ids[i];
  }

 private:
  static constexpr int kBits = 15;
  static constexpr uint64_t kKeyBits = ~(uint64_t{0xF} << 60);
  struct alignas(64) Line : std::array<Entry, 2> {};

  static constexpr std::array<Key, 16> kMasks = [] {
    std::array<Key, 16> masks{};
    for (size_t size = 0; size < 16; ++size) {
      masks[size].low = size >= 8 ? ~uint64_t{0} : (uint64_t{1} << 8 * size) - 1;
      masks[size].high = size <= 8 ? 0 : (uint64_t{1} << 8 * (size - 8)) - 1;
    }
    return masks;
  }();

  static size_t Slot(Key key) {
    const uint64_t mixed = (key.low ^ (key.high << 23 | key.high >> 41)) * 0x9E3779B97F4A7C15u;
    return (mixed ^ mixed >> 29) * 0xBF58476D1CE4E5B9u >> (64 - kBits);
  }

  std::vector<Line> lines_;
};

}  // namespace quern

#endif  // QUERN_DATA_TOKENIZER_PIECE_CACHE_H_
