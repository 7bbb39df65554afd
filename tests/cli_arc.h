// A tiny world made by the real commands: text, data folder, tokenizer, model, report, verdict.
#ifndef QUERN_TESTS_CLI_ARC_H_
#define QUERN_TESTS_CLI_ARC_H_

#include <string>
#include <vector>

namespace quern {

// Some hundred lines of made-up English.
std::string TinyText(int lines);

// `folder` holds book.txt, data/, model/, policy.txtpb afterwards. The commands run there; what failed is an assertion
// of GoogleTest.
void MakeTinyArc(const std::string& folder);

// The flags of a model that trains in a second.
std::vector<std::string> TinyTrainFlags(const std::string& output_dir, int steps);

}  // namespace quern

#endif  // QUERN_TESTS_CLI_ARC_H_
