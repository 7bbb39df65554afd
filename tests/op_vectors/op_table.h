// Which ONNX operators Quern computes, and by which adapter; and why it does not compute others.
#ifndef QUERN_TESTS_OP_VECTORS_OP_TABLE_H_
#define QUERN_TESTS_OP_VECTORS_OP_TABLE_H_

#include <string>

#include "absl/status/statusor.h"
#include "tests/op_vectors/adapters.h"

namespace quern {

struct OpAdapter {
  const char* op_type;
  op_vectors::Outputs (*run)(const OpCase& op);
  // The attributes that the adapter knows, each followed by a space. A test with another is skipped, not misread.
  const char* attributes;
  bool exact = false;  // elements are moved or picked, not computed
};

// Skip (Unimplemented), with the reason, for an operator or an attribute that Quern does not have.
absl::StatusOr<const OpAdapter*> FindOpAdapter(const OpModel& model);

}  // namespace quern

#endif  // QUERN_TESTS_OP_VECTORS_OP_TABLE_H_
