// The judgement of `quern gate`, without files: a policy's checks against a report.
#ifndef QUERN_EVAL_JUDGE_H_
#define QUERN_EVAL_JUDGE_H_

#include <vector>

#include "base/json.h"
#include "eval/gate.h"
#include "eval/gate_policy.pb.h"

namespace quern {

// A row per check in the policy's order, by the rules of eval/gate.h; before them failed rows "policy" for a policy
// without checks, and "report" where the report does not record the weights, or where what it records of its model is
// not `model` (DescribeModel in eval/report.h).
std::vector<GateRow> Judge(const GatePolicy& policy, const Json& report, const Json& model);

}  // namespace quern

#endif  // QUERN_EVAL_JUDGE_H_
