#include "eval/policy_file.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/suggest.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/text_format.h"

namespace quern {
namespace {

namespace pb = google::protobuf;

// Keeps the first error, with its place.
class FirstError : public pb::io::ErrorCollector {
 public:
  explicit FirstError(std::string_view policy)
      : lines_(absl::StrSplit(absl::string_view(policy.data(), policy.size()), '\n')) {}

  void AddError(int line, int column, const std::string& message) override {
    if (!text_.empty()) return;
    const std::string name = UnknownField(message);
    // The parser says where the name ends.
    if (!name.empty() && line >= 0 && line < static_cast<int>(lines_.size())) {
      const size_t begin = lines_[line].rfind(name, column);
      if (begin != std::string::npos) column = static_cast<int>(begin);
    }
    text_ = absl::StrCat(line + 1, ":", column + 1, ": ", name.empty() ? message : Explain(name, message));
  }
  void AddWarning(int, int, const std::string&) override {}
  const std::string& text() const { return text_; }

 private:
  static std::string UnknownField(const std::string& message) {
    constexpr std::string_view kUnknown = "has no field named \"";
    const size_t at = message.find(kUnknown);
    if (at == std::string::npos) return "";
    const size_t begin = at + kUnknown.size();
    return message.substr(begin, message.find('"', begin) - begin);
  }

  static std::string Explain(const std::string& name, const std::string& message) {
    const bool in_check = message.find("GateCheck") != std::string::npos;
    const pb::Descriptor* type = in_check ? GateCheck::descriptor() : GatePolicy::descriptor();
    std::vector<std::string> fields;
    for (int i = 0; i < type->field_count(); ++i) fields.push_back(type->field(i)->name());
    const std::string near = DidYouMean(name, fields);
    return absl::StrCat("there is no field \"", name, "\".",
                        near.empty() ? " A policy holds check { metric: \"NAME\" min: NUMBER max: NUMBER }." : near);
  }

  std::vector<std::string> lines_;
  std::string text_;
};

}  // namespace

absl::StatusOr<GatePolicy> ParsePolicy(std::string_view text, const std::string& path) {
  FirstError error(text);
  pb::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  parser.SetRecursionLimit(8);
  GatePolicy policy;
  if (!parser.ParseFromString(std::string(text), &policy)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ":", error.text()));
  }
  return policy;
}

}  // namespace quern
