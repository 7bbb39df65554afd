// Cutting a token sequence that is longer than the context into windows, so that every token is predicted exactly once.
#ifndef QUERN_EVAL_WINDOWS_H_
#define QUERN_EVAL_WINDOWS_H_

#include <cstdint>
#include <vector>

#include "eval/perplexity_mode.h"

namespace quern {

// The model reads tokens [begin, end - 1) and is asked for tokens [first, end).
struct Window {
  int64_t begin = 0, end = 0, first = 0;

  int64_t inputs() const { return end - 1 - begin; }
  bool operator==(const Window&) const = default;
};

// Windows over a sequence of `length` tokens that ask for each of the tokens 1 ... length - 1 once; none for fewer than
// two tokens. At most `context` >= 1 inputs each. With L the context and S the stride (1 <= S <= L, kStrided only):
//
//   kToken     inputs [0, L), [L, 2L), ...: the tokens after them are asked for. What training's evaluation does.
//   kRolling   the same, but the last window, where it has fewer than L inputs, begins earlier
//              (loglikelihood_rolling of lm-evaluation-harness, whose prefix token is token 0 here)
//   kStrided   tokens [0, L), [S, S + L), ... of which the last S are asked for, each after L - S tokens at least (the
//              windows of "Perplexity of fixed-length models" in Hugging Face transformers' documentation). With S = L
//              a window begins one token earlier, so that its first token is asked for as well.
std::vector<Window> CutWindows(int64_t length, PerplexityMode mode, int64_t context, int64_t stride);

}  // namespace quern

#endif  // QUERN_EVAL_WINDOWS_H_
