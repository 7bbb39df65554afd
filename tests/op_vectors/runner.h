// Runs ONNX operator tests and says how each went.
#ifndef QUERN_TESTS_OP_VECTORS_RUNNER_H_
#define QUERN_TESTS_OP_VECTORS_RUNNER_H_

#include <ostream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace quern {

enum class OpVerdict { kPass, kFail, kSkip };

struct OpResult {
  std::string name;     // the test's folder
  std::string op_type;  // "" where model.onnx cannot be read
  OpVerdict verdict = OpVerdict::kFail;
  double max_err = 0;  // over all outputs of all data sets
  std::string reason;  // of a FAIL or SKIP
};

// `folder`: model.onnx and test_data_set_N. A file that is not what it should be is a FAIL.
OpResult RunOpTest(const std::string& folder);

// `folder` where it is a test, else the tests in it, in order of name. NotFound where there are none.
absl::StatusOr<std::vector<std::string>> FindOpTests(const std::string& folder);

// The command: op_vectors [--isa SET] [--by_operator] DIR. Returns the exit status: 0; 1 on a FAIL; 2 for a wrong
// command line; 3 where DIR holds no test that can be read; 4 where the processor lacks the instruction set.
int OpVectorsMain(const std::vector<std::string>& args, std::ostream& out, std::ostream& err);

}  // namespace quern

#endif  // QUERN_TESTS_OP_VECTORS_RUNNER_H_
