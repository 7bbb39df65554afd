#include "cli/verbs.h"

namespace quern::cli {

// One per file of this folder.
extern const Verb kPrepare, kTokenizerTrain, kTokenizerEncode, kTokenizerDecode, kTokenizerInspect, kTrain, kEval,
    kGate, kVerify, kServe, kGenerate, kChat, kScore, kBench, kConvert, kDoctor, kCompare;

std::span<const Verb* const> Verbs() {
  static constexpr const Verb* kTable[] = {
      // Text.
      &kPrepare,
      &kTokenizerTrain,
      &kTokenizerEncode,
      &kTokenizerDecode,
      &kTokenizerInspect,
      // Weights.
      &kTrain,
      &kConvert,
      // Evidence.
      &kEval,
      &kGate,
      &kVerify,
      &kCompare,
      // Answers.
      &kServe,
      &kGenerate,
      &kChat,
      &kScore,
      // The machine.
      &kBench,
      &kDoctor,
  };
  return kTable;
}

}  // namespace quern::cli
