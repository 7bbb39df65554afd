#include "cli/config_text.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/suggest.h"
#include "cli/value_text.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/message.h"
#include "google/protobuf/text_format.h"

namespace quern::cli {
namespace {

namespace pb = google::protobuf;
using Field = pb::FieldDescriptor;

constexpr uint64_t kMaxConfigBytes = uint64_t{1} << 20;

// The text between the first `before` and the quote after it.
std::string Quoted(const std::string& message, std::string_view before) {
  const size_t start = message.find(before);
  if (start == std::string::npos) return "";
  const size_t begin = start + before.size();
  return message.substr(begin, message.find('"', begin) - begin);
}

// Keeps the first error, with its place.
class FirstError : public pb::io::ErrorCollector {
 public:
  FirstError(std::string path, const pb::Descriptor* root) : path_(std::move(path)), root_(root) {}

  void AddError(int line, int column, const std::string& message) override {
    if (!text_.empty()) return;
    text_ = absl::StrCat(path_, ":", line + 1, ":", column + 1, ": ", Explain(message));
  }
  void AddWarning(int, int, const std::string&) override {}
  const std::string& text() const { return text_; }

 private:
  std::string Explain(const std::string& message) const {
    const std::string field = Quoted(message, "has no field named \"");
    const std::string type = Quoted(message, "Message type \"");
    if (field.empty()) return message;
    const pb::Descriptor* found =
        root_->full_name() == type ? root_ : root_->file()->pool()->FindMessageTypeByName(type);
    return absl::StrCat("there is no field \"", field, "\".",
                        found == nullptr ? "" : DidYouMean(field, FieldNames(found)));
  }

  std::string path_;
  const pb::Descriptor* root_;
  std::string text_;
};

const char* Wanted(const Field* field) {
  switch (field->cpp_type()) {
    case Field::CPPTYPE_BOOL:
      return "true or false";
    case Field::CPPTYPE_DOUBLE:
    case Field::CPPTYPE_FLOAT:
      return "a number";
    case Field::CPPTYPE_UINT32:
    case Field::CPPTYPE_UINT64:
      return "a whole number, not negative";
    case Field::CPPTYPE_STRING:
      return "text";
    default:
      return "a whole number";
  }
}

// Calls `set` with what was parsed; false where nothing was.
template <typename T, typename Set>
bool StoreIf(const std::optional<T>& value, const Set& set) {
  if (value.has_value()) set(*value);
  return value.has_value();
}

bool Store(pb::Message* message, const Field* field, const std::string& value) {
  const pb::Reflection* to = message->GetReflection();
  switch (field->cpp_type()) {
    case Field::CPPTYPE_BOOL:
      return StoreIf(ParseSwitch(value), [&](bool x) { to->SetBool(message, field, x); });
    case Field::CPPTYPE_DOUBLE:
      return StoreIf(ParseReal(value), [&](double x) { to->SetDouble(message, field, x); });
    case Field::CPPTYPE_FLOAT:
      return StoreIf(ParseReal(value), [&](double x) { to->SetFloat(message, field, static_cast<float>(x)); });
    case Field::CPPTYPE_INT32:
      return StoreIf(ParseWhole<int32_t>(value), [&](int32_t x) { to->SetInt32(message, field, x); });
    case Field::CPPTYPE_INT64:
      return StoreIf(ParseWhole<int64_t>(value), [&](int64_t x) { to->SetInt64(message, field, x); });
    case Field::CPPTYPE_UINT32:
      return StoreIf(ParseWhole<uint32_t>(value), [&](uint32_t x) { to->SetUInt32(message, field, x); });
    case Field::CPPTYPE_UINT64:
      return StoreIf(ParseWhole<uint64_t>(value), [&](uint64_t x) { to->SetUInt64(message, field, x); });
    case Field::CPPTYPE_STRING:
      return to->SetString(message, field, value), true;
    default:
      return false;
  }
}

}  // namespace

std::vector<std::string> FieldNames(const pb::Descriptor* descriptor) {
  std::vector<std::string> names;
  for (int i = 0; i < descriptor->field_count(); ++i) names.push_back(descriptor->field(i)->name());
  return names;
}

absl::Status ReadConfigText(const std::string& path, pb::Message* message) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxConfigBytes));
  FirstError error(path, message->GetDescriptor());
  pb::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  parser.SetRecursionLimit(20);
  if (parser.ParseFromString(text, message)) return absl::OkStatus();
  return absl::InvalidArgumentError(error.text().empty() ? path + ": not protobuf text" : error.text());
}

absl::Status SetScalar(pb::Message* message, const Field* field, const std::string& value) {
  if (field->is_repeated() || field->cpp_type() == Field::CPPTYPE_MESSAGE || !Store(message, field, value)) {
    return absl::InvalidArgumentError(absl::StrCat(field->name(), " takes ", Wanted(field), "; got \"", value, "\""));
  }
  return absl::OkStatus();
}

std::string ScalarText(const pb::Message& message, const Field* field) {
  if (field->cpp_type() == Field::CPPTYPE_STRING) return message.GetReflection()->GetString(message, field);
  std::string text;
  pb::TextFormat::PrintFieldValueToString(message, field, -1, &text);
  return text;
}

absl::Status SetField(pb::Message* message, const std::string& assignment) {
  const size_t equals = assignment.find('=');
  if (equals == std::string::npos || equals == 0) {
    return absl::InvalidArgumentError(absl::StrCat("--set takes name=value; got \"", assignment, "\""));
  }
  const std::vector<std::string> path = absl::StrSplit(assignment.substr(0, equals), '.');
  for (size_t i = 0; i < path.size(); ++i) {
    const pb::Descriptor* type = message->GetDescriptor();
    const Field* field = type->FindFieldByName(path[i]);
    if (field == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat("--set ", assignment, ": there is no field \"", path[i], "\"",
                                                     i == 0 ? "" : " in " + path[i - 1], ".",
                                                     DidYouMean(path[i], FieldNames(type))));
    }
    const bool is_message = field->cpp_type() == Field::CPPTYPE_MESSAGE;
    if (i + 1 == path.size()) {
      if (!is_message && !field->is_repeated()) {
        const absl::Status set = SetScalar(message, field, assignment.substr(equals + 1));
        return set.ok() ? set : absl::InvalidArgumentError(absl::StrCat("--set ", assignment, ": ", set.message()));
      }
      return absl::InvalidArgumentError(
          absl::StrCat("--set ", assignment, ": ", field->name(), " holds several fields; name one of them"));
    }
    if (!is_message || field->is_repeated()) {
      return absl::InvalidArgumentError(absl::StrCat("--set ", assignment, ": ", field->name(), " holds no fields"));
    }
    message = message->GetReflection()->MutableMessage(message, field);
  }
  return absl::OkStatus();
}

}  // namespace quern::cli
