#include "cli/verbs.h"

namespace quern::cli {

// One per file of this folder.
extern const Verb kPrepare, kTokenizerTrain, kTokenizerEncode, kTokenizerDecode, kTokenizerInspect;

std::span<const Verb* const> Verbs() {
  static constexpr const Verb* kTable[] = {
      &kPrepare, &kTokenizerTrain, &kTokenizerEncode, &kTokenizerDecode, &kTokenizerInspect,
  };
  return kTable;
}

}  // namespace quern::cli
