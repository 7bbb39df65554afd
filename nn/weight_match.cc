#include "nn/weight_match.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "base/suggest.h"

namespace quern {
namespace {

constexpr size_t kListed = 500;    // names per list in an error
constexpr size_t kSuggested = 40;  // missing names that get a suggestion

// What checkpoints that are not ours are known by; the first fragment that a name contains wins.
constexpr struct {
  std::string_view fragment, architecture;
} kForeign[] = {
    {"self_attn.q_norm.weight", "qwen3"},
    {"block_sparse_moe.", "mixtral"},
    {"mlp.experts.", "a mixture of experts"},
    {"pre_feedforward_layernorm.weight", "gemma2"},
    {"self_attn.qkv_proj.weight", "phi3"},
    {"attention.query_key_value.weight", "gpt_neox"},
    {"self_attention.query_key_value.weight", "bloom or falcon"},
    {"encoder.layer.0.attention.self.query.weight", "bert"},
    {"decoder.layers.0.self_attn.k_proj.weight", "opt"},
    {"block.0.layer.0.SelfAttention.q.weight", "t5"},
    {"lora_A.", "a LoRA adapter"},
    {".qweight", "a quantised model (GPTQ or AWQ)"},
    {"layers.0.attention.wq.weight", "llama in Meta's own naming"},
};

std::string Listed(std::string_view what, const std::vector<std::string>& names) {
  if (names.empty()) return "";
  size_t shown = std::min(names.size(), kListed);
  std::string list = absl::StrJoin(names.begin(), names.begin() + static_cast<int64_t>(shown), ", ");
  if (shown < names.size()) absl::StrAppend(&list, ", and ", names.size() - shown, " more");
  return absl::StrCat("; ", std::string(what), " (", names.size(), "): ", list);
}

// "gpt2" for a file that has another architecture's tensors and none of `own`; "" otherwise.
std::string ForeignArchitecture(const Architecture& own, const SafetensorsModel& file, std::string* witness) {
  auto has_mark = [&](const Architecture& a) {
    for (const std::string& name : {std::string(a.mark), absl::StrCat(std::string(a.prefix), std::string(a.mark))}) {
      if (file.entry(name) == nullptr) continue;
      *witness = name;
      return true;
    }
    return false;
  };
  for (const auto& foreign : kForeign) {
    for (const std::string& name : file.names()) {
      if (name.find(foreign.fragment) == std::string::npos) continue;
      *witness = name;
      return std::string(foreign.architecture);
    }
  }
  if (has_mark(own)) return "";
  for (const Architecture& other : Architectures()) {
    if (other.which != own.which && has_mark(other)) return std::string(other.name);
  }
  return "";
}

bool AllZero(const Tensor& tensor) {
  const float* p = tensor.data<float>();
  return std::all_of(p, p + tensor.elements(), [](float v) { return v == 0; });
}

class Matcher {
 public:
  Matcher(LanguageModel& model, const Architecture& architecture, const SafetensorsModel& file)
      : model_(model), architecture_(architecture), file_(file) {}

  absl::StatusOr<std::vector<MatchedWeight>> Match(const std::string& path) {
    model_.Visit([&](std::string_view name, Var& parameter) { Expect(std::string(name), parameter); });
    for (const LanguageModel::ZeroTensor& zero : model_.ImpliedZeros()) ImpliedZero(zero);
    TiedHead();
    for (const std::string& name : file_.names()) {
      if (used_.count(name) == 0 && !Buffer(name)) unexpected_.push_back(name);
    }
    if (missing_.empty() && unexpected_.empty() && misfits_.empty()) return std::move(matched_);
    return Mismatch(path);
  }

 private:
  // The name that the file has for one of ours, or "".
  std::string NameInFile(const std::string& name) const {
    if (file_.entry(name) != nullptr) return name;
    std::string_view rest = name;
    if (!rest.starts_with(architecture_.prefix)) return "";
    rest.remove_prefix(architecture_.prefix.size());
    return file_.entry(rest) != nullptr ? std::string(rest) : "";
  }

  void Expect(const std::string& name, Var& parameter) {
    std::string found = NameInFile(name);
    if (found.empty()) {
      missing_.push_back(name);
      return;
    }
    used_.insert(found);
    const SafetensorsEntry& entry = *file_.entry(found);
    if (!(entry.shape == parameter.shape())) {
      misfits_.push_back(
          absl::StrCat(found, " is ", ToString(entry.shape), ", the config says ", ToString(parameter.shape())));
    } else if (entry.dtype->name != "F32" && entry.dtype->name != "F16" && entry.dtype->name != "BF16" &&
               entry.dtype->name != "F64") {
      misfits_.push_back(
          absl::StrCat(found, " is of dtype ", std::string(entry.dtype->name), ", F32, BF16 or F16 is needed"));
    }
    matched_.push_back({parameter, found});
  }

  void ImpliedZero(const LanguageModel::ZeroTensor& zero) {
    std::string found = NameInFile(zero.name);
    if (found.empty()) return;
    used_.insert(found);
    absl::StatusOr<Tensor> tensor = file_.FindAs(found, DType::kF32);
    if (!tensor.ok() || !AllZero(tensor->Contiguous()))
      misfits_.push_back(absl::StrCat(found, " is not zero, the config says bias false"));
  }

  // Some writers store a tied head a second time.
  void TiedHead() {
    if (file_.entry("lm_head.weight") == nullptr || used_.count("lm_head.weight") > 0 || matched_.empty()) return;
    used_.insert("lm_head.weight");
    const std::string& table_name = matched_[0].file_name;  // Visit starts with the token table
    if (!misfits_.empty() || !missing_.empty()) return;
    absl::StatusOr<Tensor> head = file_.FindAs("lm_head.weight", DType::kF32),
                           table = file_.FindAs(table_name, DType::kF32);
    bool equal = head.ok() && table.ok() && head->shape() == table->shape() &&
                 std::memcmp(head->raw(), table->raw(), static_cast<size_t>(table->bytes())) == 0;
    if (!equal) {
      misfits_.push_back(absl::StrCat("lm_head.weight differs from ", table_name,
                                      ", the config says that they are tied (tie_word_embeddings)"));
    }
  }

  bool Buffer(const std::string& name) const {
    for (std::string_view ending : architecture_.buffers) {
      if (std::string_view(name).ends_with(ending)) return true;
    }
    return false;
  }

  absl::Status Mismatch(const std::string& path) {
    std::string witness, foreign = ForeignArchitecture(architecture_, file_, &witness);
    std::string own(architecture_.name);
    if (!foreign.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(path, " holds the weights of ", foreign, " (it has a tensor \"",
                                                     witness, "\"), but the config says ", own,
                                                     ". Use the config.json that belongs to these weights."));
    }
    for (size_t i = 0; i < std::min(missing_.size(), kSuggested); ++i) {
      std::string near = unexpected_.size() <= 2000 ? Nearest(missing_[i], unexpected_) : "";
      if (!near.empty()) absl::StrAppend(&missing_[i], " (the file has \"", near, "\")");
    }
    return absl::InvalidArgumentError(absl::StrCat(path, " does not fit its config (", own, ")",
                                                   Listed("missing", missing_), Listed("unexpected", unexpected_),
                                                   Listed("not as it should be", misfits_), "."));
  }

  LanguageModel& model_;
  const Architecture& architecture_;
  const SafetensorsModel& file_;
  std::vector<MatchedWeight> matched_;
  std::set<std::string> used_;
  std::vector<std::string> missing_, unexpected_, misfits_;
};

}  // namespace

absl::StatusOr<std::vector<MatchedWeight>> MatchWeights(LanguageModel& model, const Architecture& architecture,
                                                        const SafetensorsModel& file, const std::string& path) {
  return Matcher(model, architecture, file).Match(path);
}

}  // namespace quern
