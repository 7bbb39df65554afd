// Bytes of tokens by id, in one string.
#ifndef QUERN_DATA_TOKENIZER_TOKEN_TABLE_H_
#define QUERN_DATA_TOKENIZER_TOKEN_TABLE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

// The largest id that a file of `tokens` tokens may use: the table has an entry for every id below, used or not.
constexpr int64_t GreatestId(int64_t tokens) { return tokens + 1'000'000; }

class TokenTable {
 public:
  // One more than the greatest id that was set.
  int64_t size() const { return static_cast<int64_t>(spans_.size()); }
  bool Has(int64_t id) const { return id >= 0 && id < size() && spans_[id].present; }
  // "" for an id that was not set.
  std::string_view Bytes(int64_t id) const {
    if (!Has(id)) return {};
    return std::string_view(bytes_).substr(spans_[id].begin, spans_[id].size);
  }
  // `id` >= 0. All tokens together stay below 4 GiB.
  void Set(int64_t id, std::string_view bytes) {
    if (id >= size()) spans_.resize(id + 1);
    spans_[id] = {static_cast<uint32_t>(bytes_.size()), static_cast<uint32_t>(bytes.size()), true};
    bytes_.append(bytes);
  }

 private:
  struct Span {
    uint32_t begin = 0, size = 0;
    bool present = false;
  };
  std::string bytes_;
  std::vector<Span> spans_;
};

}  // namespace quern

#endif  // QUERN_DATA_TOKENIZER_TOKEN_TABLE_H_
