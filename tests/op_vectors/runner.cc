#include "tests/op_vectors/runner.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "kernels/isa.h"
#include "tests/op_vectors/compare.h"
#include "tests/op_vectors/op_table.h"

namespace quern {
namespace {

constexpr const char* kUsage =
    "usage: op_vectors [--isa auto|reference|avx2|avx512] [--by_operator] DIR\n"
    "\n"
    "Runs ONNX operator tests (a folder with model.onnx and test_data_set_0, or a folder of such) through Quern's "
    "kernels.\n"
    "Prints `name PASS|FAIL|SKIP max_err`, a line each, then totals; --by_operator prints a Markdown table instead.\n"
    "Exit status: 0; 1 when a test fails; 2 for a wrong command line; 3 when DIR holds no test that can be read;\n"
    "4 for an instruction set that this processor lacks.\n"
    "\n"
    "  bazel run //tests:op_vectors -- onnx/backend/test/data/node\n";

bool IsTest(const std::string& folder) {
  return FileExists(JoinPath(folder, "model.onnx")) || IsFolder(JoinPath(folder, "test_data_set_0"));
}

absl::StatusOr<std::vector<std::string>> DataSets(const std::string& folder) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListFolder(folder));
  std::vector<std::string> sets;
  for (const std::string& name : names) {
    if (absl::StartsWith(name, "test_data_set_")) sets.push_back(JoinPath(folder, name));
  }
  if (sets.empty()) return absl::NotFoundError(absl::StrCat(folder, ": no test_data_set_0 in it"));
  return sets;
}

// FailedPrecondition where a result is wrong.
absl::Status RunDataSet(const OpAdapter& adapter, const OpCase& op, double* max_err) {
  for (size_t i = 0; i < op.outputs().size(); ++i) {
    if (op.Wants(i) && !op.outputs()[i].tensor.defined()) {
      return Skip(absl::StrCat("no dtype ", OnnxTypeName(op.outputs()[i].type)));
    }
  }
  ASSIGN_OR_RETURN(std::vector<Tensor> got, adapter.run(op));
  got.resize(std::max(got.size(), op.outputs().size()));
  for (size_t i = 0; i < op.outputs().size(); ++i) {
    if (!op.Wants(i)) continue;
    const Comparison comparison = CompareOutput(got[i], op.outputs()[i], adapter.exact);
    *max_err = std::max(*max_err, comparison.max_err);
    if (!comparison.problem.empty()) {
      return absl::FailedPreconditionError(absl::StrCat("output ", i, ": ", comparison.problem));
    }
  }
  return absl::OkStatus();
}

absl::Status Run(const std::string& folder, OpResult& result) {
  ASSIGN_OR_RETURN(const OpModel model, ReadOpModel(JoinPath(folder, "model.onnx")));
  result.op_type = model.op_type;
  ASSIGN_OR_RETURN(const OpAdapter* adapter, FindOpAdapter(model));
  ASSIGN_OR_RETURN(const std::vector<std::string> sets, DataSets(folder));
  for (const std::string& set : sets) {
    ASSIGN_OR_RETURN(const OpCase op, OpCase::Read(model, set));
    RETURN_IF_ERROR(RunDataSet(*adapter, op, &result.max_err));
  }
  return absl::OkStatus();
}

const char* Name(OpVerdict verdict) {
  return verdict == OpVerdict::kPass ? "PASS" : verdict == OpVerdict::kSkip ? "SKIP" : "FAIL";
}

std::string Line(const OpResult& r) {
  char error[32] = "-";
  if (r.verdict != OpVerdict::kSkip) std::snprintf(error, sizeof(error), r.max_err == 0 ? "0" : "%.1e", r.max_err);
  return absl::StrCat(r.name, " ", Name(r.verdict), " ", error, r.reason.empty() ? "" : " ", r.reason, "\n");
}

int Count(const std::vector<OpResult>& results, OpVerdict verdict) {
  return static_cast<int>(
      std::count_if(results.begin(), results.end(), [&](const OpResult& r) { return r.verdict == verdict; }));
}

void PrintByOperator(const std::vector<OpResult>& results, std::ostream& out) {
  std::map<std::string, std::vector<OpResult>> by_operator;
  for (const OpResult& r : results) by_operator[r.op_type].push_back(r);
  out << "| operator | PASS | FAIL | SKIP | greatest error | why not |\n|---|---|---|---|---|---|\n";
  for (const auto& [op_type, some] : by_operator) {
    double max_err = 0;
    std::set<std::string> reasons;
    for (const OpResult& r : some) {
      if (r.verdict == OpVerdict::kPass) max_err = std::max(max_err, r.max_err);
      if (!r.reason.empty()) reasons.insert(r.reason);
    }
    const int passed = Count(some, OpVerdict::kPass);
    char error[32] = "";
    if (passed > 0) std::snprintf(error, sizeof(error), max_err == 0 ? "0" : "%.1e", max_err);
    out << "| " << op_type << " | " << passed << " | " << Count(some, OpVerdict::kFail) << " | "
        << Count(some, OpVerdict::kSkip) << " | " << error << " | " << absl::StrJoin(reasons, "; ") << " |\n";
  }
  out << "\n";
}

struct CommandLine {
  std::string folder;
  std::string isa = "auto";
  bool by_operator = false, help = false;
};

// InvalidArgument: a usage error.
absl::StatusOr<CommandLine> Parse(const std::vector<std::string>& args) {
  CommandLine line;
  for (size_t i = 0; i < args.size(); ++i) {
    std::string arg = args[i];
    if (absl::StartsWith(arg, "--")) std::replace(arg.begin(), arg.end(), '-', '_');
    if (arg == "__help") {
      line.help = true;
    } else if (arg == "__by_operator") {
      line.by_operator = true;
    } else if (arg == "__isa" && i + 1 < args.size()) {
      line.isa = args[++i];
    } else if (absl::StartsWith(arg, "_") || !line.folder.empty()) {
      return absl::InvalidArgumentError(absl::StrCat("unexpected \"", args[i], "\""));
    } else {
      line.folder = args[i];
    }
  }
  if (line.folder.empty() && !line.help) return absl::InvalidArgumentError("a folder of ONNX operator tests is needed");
  return line;
}

}  // namespace

OpResult RunOpTest(const std::string& folder) {
  OpResult result;
  result.name = Basename(folder);
  const absl::Status status = Run(folder, result);
  // Names from a file may hold anything, and a terminal obeys some of it.
  result.op_type = absl::Utf8SafeCHexEscape(result.op_type);
  result.reason = absl::Utf8SafeCHexEscape(std::string(status.message()));
  result.verdict = status.ok()                                         ? OpVerdict::kPass
                   : status.code() == absl::StatusCode::kUnimplemented ? OpVerdict::kSkip
                                                                       : OpVerdict::kFail;
  return result;
}

absl::StatusOr<std::vector<std::string>> FindOpTests(const std::string& folder) {
  // A name for ".", "x/" and links alike.
  std::error_code unreadable;
  const std::string path = std::filesystem::canonical(folder, unreadable).string();
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListFolder(unreadable ? folder : path));
  if (IsTest(path)) return std::vector<std::string>{path};
  std::vector<std::string> tests;
  for (const std::string& name : names) {
    if (IsTest(JoinPath(path, name))) tests.push_back(JoinPath(path, name));
  }
  if (tests.empty()) {
    return absl::NotFoundError(
        absl::StrCat(folder, ": no operator test in it; one is a folder with model.onnx and test_data_set_0"));
  }
  return tests;
}

int OpVectorsMain(const std::vector<std::string>& args, std::ostream& out, std::ostream& err) {
  constexpr int kDone = 0, kFailed = 1, kUsageError = 2, kRefused = 3, kEnvironment = 4;
  absl::StatusOr<CommandLine> line = Parse(args);
  absl::StatusOr<Isa> isa = line.ok() ? ParseIsa(line->isa) : Isa::kReference;
  if (!line.ok() || !isa.ok()) {
    err << "op_vectors: " << (line.ok() ? isa.status() : line.status()).message() << "\n";
    if (isa.status().code() == absl::StatusCode::kFailedPrecondition) return kEnvironment;
    err << kUsage;
    return kUsageError;
  }
  if (line->help) {
    out << kUsage;
    return kDone;
  }
  SetIsa(*isa);
  absl::StatusOr<std::vector<std::string>> tests = FindOpTests(line->folder);
  if (!tests.ok()) {
    err << "op_vectors: " << tests.status().message() << "\n";
    return kRefused;
  }
  std::vector<OpResult> results;
  for (const std::string& test : *tests) {
    results.push_back(RunOpTest(test));
    if (!line->by_operator) out << Line(results.back());
  }
  if (line->by_operator) PrintByOperator(results, out);
  const int failed = Count(results, OpVerdict::kFail);
  out << results.size() << " tests: " << Count(results, OpVerdict::kPass) << " PASS, " << failed << " FAIL, "
      << Count(results, OpVerdict::kSkip) << " SKIP\n";
  out.flush();
  return failed > 0 ? kFailed : kDone;
}

}  // namespace quern
