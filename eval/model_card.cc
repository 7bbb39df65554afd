#include "eval/model_card.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/file.h"
#include "base/lineage.h"
#include "base/progress.h"
#include "base/status_macros.h"
#include "eval/card_front_matter.h"

namespace quern {
namespace {

// How a card of ours is told from another's.
constexpr char kMark[] = "<!-- Written by quern gate from what is on record; the next gate writes it anew. -->";
constexpr uint64_t kMaxCardBytes = uint64_t{4} << 20;
constexpr size_t kMaxSettingsBytes = 8192;

// What is on record about the model; null where it is not.
struct Records {
  std::string folder, name;
  const GateResult& result;
  const Json& report;
  Json config, run, metadata;
  std::string settings;  // of the training, protobuf text
};

// value[a][b]...; null where there is none.
const Json& At(const Json& value, std::initializer_list<const char*> path) {
  static const Json none;
  const Json* at = &value;
  for (const char* name : path) {
    if (!at->is_object()) return none;
    auto it = at->find(name);
    if (it == at->end()) return none;
    at = &*it;
  }
  return *at;
}

std::string Text(const Json& value) { return value.is_string() ? value.get<std::string>() : ""; }

// In Markdown code within a table: what would end either is replaced.
std::string Code(std::string_view text) {
  std::string out = "`";
  for (char c : text) out += c == '`' || c == '|' || static_cast<unsigned char>(c) < 0x20 ? '?' : c;
  return out + "`";
}

std::string Number(const Json& value) {
  if (value.is_number_float()) return absl::StrFormat("%.6g", value.get<double>());
  if (value.is_number_integer()) return FormatCount(value.get<int64_t>());
  return value.is_null() ? "none (not a finite number)" : Code(Text(value));
}

// A file that a record names; the path as recorded.
std::string FileRow(std::string_view role, const Json& entry) {
  if (!entry.is_object()) return "";
  const std::string path = Text(entry.contains("path") ? entry["path"] : At(entry, {"file"}));
  const Json& bytes = At(entry, {"bytes"});
  return absl::StrCat("| ", std::string(role), " | ", Code(path), " | ",
                      bytes.is_number_integer() ? FormatBytes(bytes.get<uint64_t>()) : "", " | ",
                      Code(Text(At(entry, {"sha256"}))), " |\n");
}

std::string FileRows(const Json& entries) {
  std::string rows;
  for (const auto& item : entries.items()) {
    for (const Json& entry : item.value().is_array() ? item.value() : Json::array({item.value()})) {
      absl::StrAppend(&rows, FileRow(item.key(), entry));
    }
  }
  return rows.empty() ? "" : absl::StrCat("| role | file | size | SHA-256 |\n|---|---|---|---|\n", rows, "\n");
}

Records ReadRecords(const std::string& folder, const GateResult& result, const Json& report) {
  Records records{folder, CardName(folder), result, report, {}, {}, {}, {}};
  const std::string quern = JoinPath(folder, "quern");
  if (auto config = ReadJsonFile(JoinPath(folder, "config.json"), kMaxCardBytes); config.ok()) {
    records.config = *config;
  }
  if (auto run = ReadSealedArtefact(JoinPath(quern, "run.json"), "run"); run.ok()) records.run = *run;
  auto recorded = [&](const char* role) { return Text(At(records.run, {"inputs", role, "path"})); };
  if (const std::string path = recorded("metadata"); !path.empty()) {
    auto metadata = ReadSealedArtefact(JoinPath(quern, path), "data");
    if (metadata.ok()) records.metadata = *metadata;
  }
  if (const std::string path = recorded("config"); !path.empty()) {
    auto settings = ReadFile(JoinPath(quern, path), kMaxSettingsBytes);
    if (settings.ok()) records.settings = *settings;
  }
  return records;
}

std::string Introduction(const Records& r) {
  const std::string type = Text(At(r.config, {"model_type"}));
  const Json& parameters = At(r.run, {"parameters"});
  std::string text =
      absl::StrCat("# ", r.name, "\n\nA ", type.empty() ? "" : absl::StrCat(Code(type), " "), "language model");
  if (parameters.is_number_integer()) {
    absl::StrAppend(&text, " of ", FormatCount(parameters.get<int64_t>()), " parameters");
  }
  return absl::StrCat(text, ": it continues text.\n\n");
}

std::string VerdictSection(const Records& r) {
  std::string text = absl::StrCat("## Verdict: ", r.result.passed ? "PASSED" : "FAILED",
                                  "\n\n| check | value | allowed | result |\n|---|---|---|---|\n");
  for (const GateRow& row : r.result.rows) {
    std::string allowed;
    if (row.min) absl::StrAppend(&allowed, "at least ", WriteJsonLine(*row.min));
    if (row.max) absl::StrAppend(&allowed, row.min ? ", " : "", "at most ", WriteJsonLine(*row.max));
    absl::StrAppend(&text, "| ", Code(row.test), " | ", row.value ? Number(*row.value) : "", " | ", allowed, " | ",
                    row.passed ? "passed" : absl::StrCat("**failed** ", Code(row.problem)), " |\n");
  }
  return absl::StrCat(text, "\nThe verdict with its digests is `quern/verdict.json`; `quern verify` checks them, and ",
                      "`quern serve` refuses a model without one that says PASSED.\n\n");
}

void AddMetricRows(const Json& metrics, const std::string& prefix, std::string& text) {
  if (!metrics.is_object()) return;
  for (const auto& item : metrics.items()) {
    if (item.value().is_object() && prefix.empty()) {
      AddMetricRows(item.value(), item.key() + ".", text);
    } else {
      absl::StrAppend(&text, "| ", Code(prefix + item.key()), " | ", Number(item.value()), " |\n");
    }
  }
}

std::string EvaluationSection(const Records& r) {
  std::string text = "## Evaluation\n\n| metric | value |\n|---|---|\n";
  AddMetricRows(At(r.report, {"metrics"}), "", text);
  AddMetricRows(At(r.report, {"counts"}), "counts.", text);
  absl::StrAppend(&text, "\n");
  const Json& how = At(r.report, {"settings", "text"});
  if (how.is_object()) {
    absl::StrAppend(&text, "Windows: ", Code(Text(At(how, {"mode"}))), ", context ", Number(At(how, {"context"})),
                    " tokens, stride ", Number(At(how, {"stride"})), "; the first token is conditioned on ",
                    Code(Text(At(how, {"first_token"}))),
                    ". Loss is in nats per token; bits per byte count every byte of the file.\n");
  }
  if (const Json& rouge = At(r.report, {"settings", "rouge"}); rouge.is_object()) {
    absl::StrAppend(&text, "ROUGE: means over the records, stemmer ", Code(Text(At(rouge, {"stemmer"}))), ".\n");
  }
  if (const Json& speed = At(r.report, {"settings", "speed"}); speed.is_object()) {
    absl::StrAppend(&text, "Speed: medians of ", Number(At(speed, {"samples"})), " requests of ",
                    Number(At(speed, {"prompt_tokens"})), " tokens, on the machine that evaluated it.\n");
  }
  const std::string files = FileRows(At(r.report, {"inputs"}));
  return absl::StrCat(text, "\n", files.empty() ? "" : "What was read; paths are relative to the report's folder:\n\n",
                      files);
}

std::string UseSection(const Records& r) {
  const std::string name = Code(r.name).substr(1, r.name.size());
  return absl::StrCat("## Use\n\n```\nquern generate --model_name ", name,
                      " --prompt \"...\"\nquern serve --model_name ", name,
                      "\n```\n\nThe folder has Hugging Face's layout:\n\n```python\nfrom transformers import ",
                      "AutoModelForCausalLM, AutoTokenizer\nmodel = AutoModelForCausalLM.from_pretrained(\"", name,
                      "\")\ntokenizer = AutoTokenizer.from_pretrained(\"", name, "\")\n```\n\n");
}

std::string ArchitectureSection(const Records& r) {
  if (!r.config.is_object()) return "";
  std::string text = "## Architecture\n\n| `config.json` | value |\n|---|---|\n";
  for (const auto& item : r.config.items()) {
    if (item.value().is_object() || item.value().is_array() || item.value().is_null()) continue;
    absl::StrAppend(&text, "| ", Code(item.key()), " | ", Code(WriteJsonLine(item.value())), " |\n");
  }
  return text + "\n";
}

std::string DataSection(const Records& r) {
  if (!r.run.is_object()) return "## Training\n\nNo training is on record here: the model was made elsewhere.\n\n";
  std::string text = "## Training data\n\n";
  if (r.metadata.is_object()) {
    const Json& counts = At(r.metadata, {"counts"});
    absl::StrAppend(&text, "From ", Code(Text(At(r.metadata, {"source", "path"}))), " (SHA-256 ",
                    Code(Text(At(r.metadata, {"source", "sha256"}))),
                    "), by `quern prepare`: ", Number(At(counts, {"read"})), " records read, ",
                    Number(At(counts, {"kept"})), " kept; language ", Code(Text(At(r.metadata, {"language", "code"}))),
                    " as far as a sample tells. The dataset card beside the data says more.\n\n");
  }
  return absl::StrCat(text, "Paths are relative to `quern/`:\n\n", FileRows(At(r.run, {"inputs"})));
}

std::string TrainingSection(const Records& r) {
  if (!r.run.is_object()) return "";
  std::string text = "## Training\n\n| what | value |\n|---|---|\n";
  for (const auto& item : r.run.items()) {
    if (item.value().is_number()) absl::StrAppend(&text, "| ", Code(item.key()), " | ", Number(item.value()), " |\n");
    if (item.key() != "best") continue;
    for (const auto& best : item.value().items()) {
      absl::StrAppend(&text, "| ", Code("best " + best.key()), " | ", Number(best.value()), " |\n");
    }
  }
  absl::StrAppend(&text, "\nThe loss of every step is in `quern/metrics.jsonl`.\n\n");
  // A fence in a text that stands between fences would end it.
  if (!r.settings.empty() && r.settings.find("~~~") == std::string::npos) {
    absl::StrAppend(&text, "All settings:\n\n~~~~\n", r.settings, r.settings.ends_with('\n') ? "" : "\n", "~~~~\n\n");
  }
  return text;
}

std::string LimitsSection(const Records& r) {
  std::string text = "## Limits\n\n";
  for (const char* field : {"max_position_embeddings", "n_positions"}) {
    if (const Json& positions = At(r.config, {field}); positions.is_number_integer()) {
      absl::StrAppend(&text, "- It sees at most ", Number(positions), " tokens; what stands before them is lost.\n");
    }
  }
  return absl::StrCat(
      text,
      "- It continues text by what is likely after its training text. What it says may be false, and sounds no "
      "different.\n- The figures hold for the test file named above, and say little about other kinds of text.\n",
      "- The verdict covers the checks listed above and nothing else; no evaluation of safety or bias is on record.\n");
}

// Another's card is kept under another name, once.
absl::Status KeepOriginal(const std::string& folder, const std::string& card) {
  if (card.empty() || card.find(kMark) != std::string::npos) return absl::OkStatus();
  const std::string kept = JoinPath(folder, "README.original.md");
  return FileExists(kept) ? absl::OkStatus() : WriteFileAtomic(kept, card);
}

absl::StatusOr<std::string> ExistingCard(const std::string& folder) {
  const std::string path = JoinPath(folder, "README.md");
  if (!FileExists(path)) return std::string();
  return ReadFile(path, kMaxCardBytes);
}

std::string Compose(const Records& r, const std::string& existing) {
  const Json& language = At(r.metadata, {"language", "code"});
  return absl::StrCat(CardFrontMatter(r.name, r.config, r.report, Text(language), existing), kMark, "\n\n",
                      Introduction(r), VerdictSection(r), EvaluationSection(r), UseSection(r), DataSection(r),
                      TrainingSection(r), ArchitectureSection(r), LimitsSection(r));
}

}  // namespace

std::string ModelCard(const std::string& model_folder, const GateResult& result, const Json& report) {
  return Compose(ReadRecords(model_folder, result, report), ExistingCard(model_folder).value_or(""));
}

absl::Status WriteModelCard(const std::string& model_folder, const GateResult& result, const Json& report) {
  ASSIGN_OR_RETURN(const std::string existing, ExistingCard(model_folder));
  RETURN_IF_ERROR(KeepOriginal(model_folder, existing));
  return WriteFileAtomic(JoinPath(model_folder, "README.md"),
                         Compose(ReadRecords(model_folder, result, report), existing));
}

}  // namespace quern
