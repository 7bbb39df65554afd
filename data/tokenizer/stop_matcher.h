// Stop strings over text that arrives in pieces.
#ifndef QUERN_DATA_TOKENIZER_STOP_MATCHER_H_
#define QUERN_DATA_TOKENIZER_STOP_MATCHER_H_

#include <string>
#include <string_view>
#include <vector>

namespace quern {

// Passes text through until a stop string is complete. The text ends before that stop string, which is left out. The
// stop string that is complete first counts; of several complete at the same byte, the longest. How the text is cut
// into pieces makes no difference. Time is proportional to the text times the number of stop strings.
class StopMatcher {
 public:
  // Empty strings in `stops` are ignored.
  explicit StopMatcher(std::vector<std::string> stops);

  // Text that is certain to stand before any stop string. What might be the beginning of one is held back.
  std::string Push(std::string_view text);
  // At the end of the text: what was held back ("" once stopped).
  std::string Finish();

  bool stopped() const { return !matched_.empty(); }
  // The stop string that ended the text, or "".
  const std::string& matched() const { return matched_; }

 private:
  // Knuth, Morris, Pratt: `fallback[n]` is the length of the longest proper border of the first n bytes.
  struct Pattern {
    std::string text;
    std::vector<size_t> fallback;
    size_t matched = 0;  // bytes of `text` that end the input so far
  };

  std::vector<Pattern> patterns_;
  std::string held_;
  std::string matched_;
};

}  // namespace quern

#endif  // QUERN_DATA_TOKENIZER_STOP_MATCHER_H_
