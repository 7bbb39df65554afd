// Finds added tokens in a text: the leftmost, and of those that start at one place the longest.
#ifndef QUERN_DATA_TOKENIZER_ADDED_TOKEN_MATCHER_H_
#define QUERN_DATA_TOKENIZER_ADDED_TOKEN_MATCHER_H_

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "data/tokenizer/tokenizer.h"

namespace quern {

// A part of a text: an added token (id >= 0) or text between two of them.
struct TextPart {
  std::string_view text;
  int32_t id = -1;
};

class AddedTokenMatcher {
 public:
  AddedTokenMatcher() = default;
  // Contents are not empty; of two with the same content the later one counts. `tokens` must outlive this.
  explicit AddedTokenMatcher(std::vector<const AddedToken*> tokens);

  bool empty() const { return tokens_.empty(); }
  // Appends the parts of `text`, in order; parts are not empty. `single_word`, `lstrip` and `rstrip` are honoured as in
  // the `tokenizers` library: a match that fails its word test is skipped whole; what `lstrip` takes ends at the match
  // before; no match begins within what `rstrip` takes. Time is proportional to the text's length times that of the
  // longest content.
  void Split(std::string_view text, std::vector<TextPart>* parts) const;

 private:
  struct Match {
    const AddedToken* token = nullptr;
    size_t size = 0;
  };
  Match LongestAt(std::string_view text) const;
  size_t NextCandidate(std::string_view text, size_t from) const;

  std::vector<const AddedToken*> tokens_;
  // A trie: (node << 8 | byte) -> node; the root is 0.
  absl::flat_hash_map<uint64_t, uint32_t> edges_;
  std::vector<int32_t> token_of_node_;  // index into tokens_, or -1
  std::array<bool, 256> starts_{};
  int only_start_ = -1;  // the one first byte, where there is one
};

}  // namespace quern

#endif  // QUERN_DATA_TOKENIZER_ADDED_TOKEN_MATCHER_H_
