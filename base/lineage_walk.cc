// The second half of base/lineage.h: the verdict, written and read, and the walk.
#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/lineage.h"
#include "base/sha256.h"
#include "base/status_macros.h"

namespace quern {
namespace {

constexpr char kStatementType[] = "https://in-toto.io/Statement/v1";
constexpr char kPredicateType[] = "https://in-toto.io/attestation/test-result/v0.1";

bool IsSha256(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// value[a][b]... as a string; "" where there is none.
std::string Text(const Json& value, std::initializer_list<const char*> fields) {
  const Json* at = &value;
  for (const char* field : fields) {
    if (!at->is_object()) return "";
    auto it = at->find(field);
    if (it == at->end()) return "";
    at = &*it;
  }
  return at->is_string() ? at->get<std::string>() : "";
}

const Json& Member(const Json& value, const char* field) {
  static const Json none;
  if (!value.is_object()) return none;
  auto it = value.find(field);
  return it == value.end() ? none : *it;
}

struct Statement {
  std::vector<std::pair<std::string, std::string>> subjects;  // name, sha256
  std::vector<std::string> failed;
  bool passed = false;
};

// The statement's own rules; what it says about files is checked by the callers.
absl::StatusOr<Statement> ParseStatement(const Json& verdict) {
  auto refuse = [](std::string_view why) { return absl::InvalidArgumentError(std::string(why)); };
  if (Text(verdict, {"_type"}) != kStatementType) return refuse(absl::StrCat("_type is not ", kStatementType));
  if (Text(verdict, {"predicateType"}) != kPredicateType) {
    return refuse(absl::StrCat("predicateType is not ", kPredicateType));
  }
  Statement statement;
  for (const Json& subject : Member(verdict, "subject")) {
    statement.subjects.emplace_back(Text(subject, {"name"}), Text(subject, {"digest", "sha256"}));
    if (!IsPlainName(statement.subjects.back().first)) return refuse("a subject is not a file of the model folder");
  }
  if (statement.subjects.empty()) return refuse("it has no subject");
  const Json& predicate = Member(verdict, "predicate");
  const Json &passed = Member(predicate, "passedTests"), &failed = Member(predicate, "failedTests");
  if (!passed.is_array() || !failed.is_array()) return refuse("passedTests or failedTests is missing");
  for (const Json& test : failed) statement.failed.push_back(test.is_string() ? test.get<std::string>() : "?");
  const std::string result = Text(predicate, {"result"});
  if (result != "PASSED" && result != "FAILED") return refuse("result is neither PASSED nor FAILED");
  statement.passed = result == "PASSED";
  if (statement.passed && !failed.empty()) {
    return refuse(absl::StrCat("result is PASSED, at odds with failedTests: ", absl::StrJoin(statement.failed, ", ")));
  }
  if (statement.passed && passed.empty()) return refuse("result is PASSED, but no test passed");
  return statement;
}

// Files that decide what the model answers and that the verdict says nothing about.
absl::StatusOr<std::vector<std::string>> Uncovered(const Statement& statement, const std::string& model_folder) {
  ASSIGN_OR_RETURN(std::vector<std::string> files, ModelFiles(model_folder));
  std::set<std::string> covered;
  for (const auto& [name, digest] : statement.subjects) covered.insert(name);
  files.erase(std::remove_if(files.begin(), files.end(), [&](const std::string& f) { return covered.count(f) > 0; }),
              files.end());
  return files;
}

// Where a folder is, for people: relative to the working directory where it lies below that, else absolute.
std::string DisplayFolder(const std::string& folder) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::path real = fs::weakly_canonical(fs::absolute(folder, error), error);
  fs::path here = fs::current_path(error);
  if (error) return folder;
  const std::string relative = real.lexically_relative(here).string();
  if (relative == ".") return "";
  return relative.empty() || relative == ".." || relative.rfind("../", 0) == 0 ? real.string() : relative;
}

class Walker {
 public:
  explicit Walker(std::string model_folder) : model_folder_(std::move(model_folder)) {}

  std::vector<LineageLink> Walk() && {
    const std::string quern = JoinPath(model_folder_, "quern");
    if (FileExists(JoinPath(quern, "verdict.json"))) WalkVerdict(JoinPath(quern, "verdict.json"));
    if (FileExists(JoinPath(quern, "run.json"))) pending_.emplace_back(Kind::kRun, JoinPath(quern, "run.json"));
    if (FileExists(JoinPath(quern, "eval.json"))) pending_.emplace_back(Kind::kReport, JoinPath(quern, "eval.json"));
    // A list of what is left to do, not recursion: a chain of base models may be as long as it likes, or go in a
    // circle.
    while (!pending_.empty()) {
      auto [kind, path] = pending_.back();
      pending_.pop_back();
      if (!visited_.insert(DisplayPath(path)).second) continue;
      if (kind == Kind::kRun) WalkRun(path);
      if (kind == Kind::kData) WalkData(path);
      if (kind == Kind::kReport) WalkReport(path);
    }
    return std::move(links_);
  }

 private:
  enum class Kind { kRun, kData, kReport };

  // A file's name for people, and its identity within the walk.
  std::string DisplayPath(const std::string& path) {
    auto [it, is_new] = folders_.try_emplace(Dirname(path));
    if (is_new) it->second = DisplayFolder(it->first);
    return JoinPath(it->second, Basename(path));
  }

  void Problem(const std::string& file, const std::string& role, const std::string& recorder, std::string problem) {
    links_.push_back({DisplayPath(file), role, DisplayPath(recorder), "", "", std::move(problem)});
  }

  // Digests the file and compares. A file that several artefacts name is read once.
  void Check(const std::string& file, const std::string& role, const std::string& recorder, const std::string& expected,
             const Json& bytes = Json()) {
    LineageLink link{DisplayPath(file), role, DisplayPath(recorder), expected, "", ""};
    auto [it, is_new] = digests_.try_emplace(link.file, absl::UnknownError(""));
    if (is_new) it->second = DescribeFile(file, ".");
    if (!IsSha256(expected)) {
      link.problem = absl::StrCat(link.recorded_by, " records no SHA-256 for it");
    } else if (!it->second.ok()) {
      link.problem = absl::IsNotFound(it->second.status()) ? "missing" : std::string(it->second.status().message());
    } else {
      link.actual = Text(*it->second, {"sha256"});
      if (link.actual != expected) {
        link.problem = "changed: its SHA-256 is not the one recorded";
      } else if (!bytes.is_null() && bytes != Member(*it->second, "bytes")) {
        link.problem = "its size is not the one recorded";
      }
    }
    links_.push_back(std::move(link));
  }

  // An entry {path|file, sha256, bytes}, or an array of them.
  void CheckEntry(const Json& entry, const std::string& role, const std::string& recorder) {
    if (entry.is_array()) {
      for (const Json& one : entry) CheckEntryObject(one, role, recorder);
    } else {
      CheckEntryObject(entry, role, recorder);
    }
  }

  void CheckEntryObject(const Json& entry, const std::string& role, const std::string& recorder) {
    const std::string path = PathOf(entry, recorder);
    if (path.empty()) return Problem(recorder, role, recorder, absl::StrCat("it records no path for \"", role, "\""));
    Check(path, role, recorder, Text(entry, {"sha256"}), Member(entry, "bytes"));
  }

  static std::string PathOf(const Json& entry, const std::string& recorder) {
    std::string path = Text(entry, {"path"});
    if (path.empty()) path = Text(entry, {"file"});
    return path.empty() ? "" : JoinPath(Dirname(recorder), path);
  }

  // A sealed artefact and its own link; null when it is broken.
  Json ReadSealed(const std::string& path, std::string_view kind) {
    absl::StatusOr<Json> artefact = ReadSealedArtefact(path, kind);
    if (!artefact.ok()) {
      Problem(path, "seal", path, std::string(artefact.status().message()));
      return Json();
    }
    const std::string seal = Text(*artefact, {"self_sha256"});
    links_.push_back({DisplayPath(path), "seal", DisplayPath(path), seal, seal, ""});
    return *std::move(artefact);
  }

  void WalkVerdict(const std::string& path) {
    const Json verdict = ReadSealed(path, "verdict");
    if (verdict.is_null()) return;
    absl::StatusOr<Statement> statement = ParseStatement(verdict);
    if (!statement.ok()) {
      Problem(path, "verdict", path, std::string(statement.status().message()));
    } else {
      for (const auto& [name, digest] : statement->subjects) {
        Check(JoinPath(model_folder_, name), "model", path, digest);
      }
      CheckCovered(*statement, path);
    }
    for (const Json& resource : Member(Member(verdict, "predicate"), "configuration")) {
      const std::string role = Text(resource, {"name"});
      const std::string file = PathOf(Member(resource, "annotations"), path);
      if (file.empty()) {
        Problem(path, role, path, absl::StrCat("it records no path for \"", role, "\""));
        continue;
      }
      Check(file, role, path, Text(resource, {"digest", "sha256"}));
      if (role == "run") pending_.emplace_back(Kind::kRun, file);
      if (role == "report") pending_.emplace_back(Kind::kReport, file);
      if (role == "report" && statement.ok()) CheckReportWeights(file, *statement, path);
    }
  }

  void CheckCovered(const Statement& statement, const std::string& path) {
    absl::StatusOr<std::vector<std::string>> uncovered = Uncovered(statement, model_folder_);
    if (!uncovered.ok()) return Problem(model_folder_, "model", path, std::string(uncovered.status().message()));
    for (const std::string& name : *uncovered) {
      Problem(JoinPath(model_folder_, name), "model", path, "the verdict does not cover it; run quern gate again");
    }
  }

  // The report may lie anywhere and be true about the model that it names; the verdict must be about the same one.
  void CheckReportWeights(const std::string& file, const Statement& statement, const std::string& path) {
    absl::StatusOr<Json> report = ReadJsonFile(file);
    if (!report.ok()) return;  // its digest has been found wrong or it is walked later
    const std::string digest = Text(*report, {"inputs", "model", "sha256"});
    if (digest != statement.subjects[0].second) {
      Problem(file, "report", path, "it is a report on other weights than the verdict's subject");
    }
  }

  void WalkRun(const std::string& path) {
    const Json run = ReadSealed(path, "run");
    if (run.is_null()) return;
    const Json &inputs = Member(run, "inputs"), &outputs = Member(run, "outputs");
    if (!inputs.is_object() || !outputs.is_object()) Problem(path, "run", path, "inputs or outputs is missing");
    for (const auto& item : inputs.items()) {
      CheckEntry(item.value(), item.key(), path);
      const std::string file = PathOf(item.value(), path);
      if (item.key() == "metadata") pending_.emplace_back(Kind::kData, file);
      if (item.key() == "base_run") pending_.emplace_back(Kind::kRun, file);
    }
    for (const auto& item : outputs.items()) CheckEntry(item.value(), item.key(), path);
  }

  void WalkData(const std::string& path) {
    const Json data = ReadSealed(path, "data");
    if (data.is_null()) return;
    const Json& source = Member(data, "source");
    const Json& files = Member(source, "files");
    CheckEntry(files.is_array() ? files : source, "source", path);
    const Json& splits = Member(data, "splits");
    if (!splits.is_object()) Problem(path, "data", path, "splits is missing");
    for (const auto& item : splits.items()) CheckEntry(item.value(), item.key(), path);
    for (const auto& item : Member(data, "outputs").items()) CheckEntry(item.value(), item.key(), path);
  }

  void WalkReport(const std::string& path) {
    absl::StatusOr<Json> report = ReadJsonFile(path);
    if (!report.ok()) return Problem(path, "report", path, std::string(report.status().message()));
    const Json& inputs = Member(*report, "inputs");
    if (!inputs.is_object()) return Problem(path, "report", path, "inputs is missing");
    for (const auto& item : inputs.items()) CheckEntry(item.value(), item.key(), path);
  }

  std::string model_folder_;
  std::vector<LineageLink> links_;
  std::map<std::string, std::string> folders_;  // as DisplayFolder shows them
  std::map<std::string, absl::StatusOr<Json>> digests_;
  std::vector<std::pair<Kind, std::string>> pending_;
  std::set<std::string> visited_;
};

absl::StatusOr<Json> DescribeResource(const std::string& role, const std::string& path, const std::string& folder) {
  ASSIGN_OR_RETURN(Json entry, DescribeFile(path, folder));
  return Json{{"name", role},
              {"digest", {{"sha256", entry["sha256"]}}},
              {"annotations", {{"path", entry["path"]}, {"bytes", entry["bytes"]}}}};
}

// Everything that ReadVerdict checks beyond the seal.
absl::Status CheckVerdict(const Json& verdict, const std::string& model_folder, Verdict& out) {
  ASSIGN_OR_RETURN(Statement statement, ParseStatement(verdict));
  out.failed = statement.failed;
  for (const auto& [name, digest] : statement.subjects) {
    ASSIGN_OR_RETURN(std::string actual, Sha256File(JoinPath(model_folder, name)));
    if (actual != digest) {
      return absl::InvalidArgumentError(absl::StrCat(name, " is not the one that was judged; run quern gate again"));
    }
  }
  ASSIGN_OR_RETURN(std::vector<std::string> uncovered, Uncovered(statement, model_folder));
  if (!uncovered.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(uncovered[0], " was not judged; run quern gate again"));
  }
  out.passed = statement.passed;
  return absl::OkStatus();
}

}  // namespace

absl::Status WriteVerdict(const std::string& model_folder, const VerdictTests& tests, const std::string& policy_path,
                          const std::string& report_path) {
  const std::string folder = JoinPath(model_folder, "quern");
  RETURN_IF_ERROR(MakeFolders(folder));
  Json verdict = NewArtefact("verdict");
  verdict["_type"] = kStatementType;
  verdict["predicateType"] = kPredicateType;
  verdict["subject"] = Json::array();
  ASSIGN_OR_RETURN(std::vector<std::string> files, ModelFiles(model_folder));
  for (const std::string& name : files) {
    ASSIGN_OR_RETURN(std::string digest, Sha256File(JoinPath(model_folder, name)));
    verdict["subject"].push_back({{"name", name}, {"digest", {{"sha256", digest}}}});
  }
  std::vector<std::pair<std::string, std::string>> resources = {{"policy", policy_path}, {"report", report_path}};
  if (const std::string run = JoinPath(folder, "run.json"); FileExists(run)) resources.emplace_back("run", run);
  Json& predicate = verdict["predicate"];
  predicate["configuration"] = Json::array();
  for (const auto& [role, path] : resources) {
    ASSIGN_OR_RETURN(Json resource, DescribeResource(role, path, folder));
    predicate["configuration"].push_back(std::move(resource));
  }
  predicate["result"] = tests.failed.empty() && !tests.passed.empty() ? "PASSED" : "FAILED";
  predicate["passedTests"] = tests.passed;
  predicate["failedTests"] = tests.failed;
  return WriteSealedArtefact(JoinPath(folder, "verdict.json"), std::move(verdict));
}

Verdict ReadVerdict(const std::string& model_folder) {
  Verdict verdict;
  const std::string path = JoinPath(model_folder, "quern/verdict.json");
  verdict.present = FileExists(path);
  if (!verdict.present) return verdict;
  absl::StatusOr<std::string> digest = Sha256File(path);
  if (digest.ok()) verdict.sha256 = *digest;
  absl::StatusOr<Json> artefact = ReadSealedArtefact(path, "verdict");
  absl::Status status = artefact.status();
  if (artefact.ok()) status = CheckVerdict(*artefact, model_folder, verdict);
  if (!status.ok()) verdict.problem = std::string(status.message());
  return verdict;
}

absl::StatusOr<std::vector<LineageLink>> WalkLineage(const std::string& model_folder) {
  if (!FileExists(JoinPath(model_folder, "quern/run.json")) &&
      !FileExists(JoinPath(model_folder, "quern/verdict.json"))) {
    return absl::NotFoundError(
        absl::StrCat(model_folder, ": neither quern/run.json nor quern/verdict.json is there, so ",
                     "there is no chain to walk; name a folder made by quern train, or judge it ", "with quern gate"));
  }
  return Walker(model_folder).Walk();
}

}  // namespace quern
