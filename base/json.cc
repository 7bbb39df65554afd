#include "base/json.h"

#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/suggest.h"

namespace quern {
namespace {

// nlohmann's message without its prefix, and without raw bytes of the input.
std::string CleanMessage(std::string_view message) {
  if (size_t at = message.find("] "); at != std::string_view::npos) message.remove_prefix(at + 2);
  if (size_t at = message.find("syntax error"); at != std::string_view::npos) message.remove_prefix(at);
  constexpr size_t kLongest = 200;
  std::string clean;
  for (char c : message.substr(0, kLongest)) clean += c >= 0x20 && c < 0x7f ? c : '?';
  return clean;
}

// Builds a Json value from parse events; stops at the first thing that is refused.
class Builder final : public nlohmann::json_sax<Json> {
 public:
  Builder(std::string_view what, int max_depth, DuplicateKeys duplicates)
      : what_(what), max_depth_(static_cast<size_t>(max_depth)), duplicates_(duplicates) {}

  bool null() override { return Add(nullptr); }
  bool boolean(bool value) override { return Add(value); }
  bool number_integer(number_integer_t value) override { return Add(value); }
  bool number_unsigned(number_unsigned_t value) override { return Add(value); }
  bool number_float(number_float_t value, const string_t&) override { return Add(value); }
  bool string(string_t& value) override { return Add(std::move(value)); }
  bool binary(binary_t&) override { return Refuse("binary values are not JSON"); }
  bool start_object(std::size_t) override { return Open(Json::object()); }
  bool start_array(std::size_t) override { return Open(Json::array()); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }

  bool key(string_t& name) override {
    auto [it, inserted] = open_.back()->get_ref<Json::object_t&>().emplace(std::move(name), nullptr);
    if (!inserted && duplicates_ == DuplicateKeys::kRefuse) {
      return Refuse(absl::StrCat("duplicate key ", WriteJsonLine(it->first.substr(0, 80))));
    }
    slot_ = &it->second;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) override {
    status_ = absl::InvalidArgumentError(
        absl::StrCat(std::string(what_), " is not valid JSON at byte ", position, ": ", CleanMessage(error.what())));
    return false;
  }

  absl::StatusOr<Json> Take() && {
    if (!status_.ok()) return status_;
    return std::move(root_);
  }

 private:
  bool Refuse(const std::string& why) {
    status_ = absl::InvalidArgumentError(absl::StrCat(std::string(what_), " is refused: ", why));
    return false;
  }

  Json* Place(Json value) {
    if (open_.empty()) return &(root_ = std::move(value));
    if (open_.back()->is_object()) return &(*slot_ = std::move(value));
    open_.back()->push_back(std::move(value));
    return &open_.back()->back();
  }

  bool Add(Json value) {
    Place(std::move(value));
    return true;
  }

  bool Open(Json empty) {
    if (open_.size() >= max_depth_) return Refuse(absl::StrCat("nested deeper than ", max_depth_, " levels"));
    open_.push_back(Place(std::move(empty)));
    return true;
  }

  bool Close() {
    open_.pop_back();
    return true;
  }

  std::string_view what_;
  size_t max_depth_;
  DuplicateKeys duplicates_;
  absl::Status status_;
  Json root_;
  std::vector<Json*> open_;  // the arrays and objects around the current position
  Json* slot_ = nullptr;     // where the value of the key just read goes
};

std::string FieldName(std::string_view field, std::string_view what) {
  return absl::StrCat(std::string(what), ": field \"", std::string(field), "\"");
}

// The field, or null when it is missing or null.
absl::StatusOr<const Json*> FindField(const Json& object, std::string_view field, std::string_view what) {
  if (!object.is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat(std::string(what), ": expected an object, found ", object.type_name()));
  }
  auto it = object.find(std::string(field));
  return it == object.end() || it->is_null() ? nullptr : &*it;
}

absl::StatusOr<const Json*> NeedField(const Json& object, std::string_view field, std::string_view what) {
  ASSIGN_OR_RETURN(const Json* value, FindField(object, field, what));
  if (value != nullptr) return value;
  std::vector<std::string> names;
  for (const auto& item : object.items()) names.push_back(item.key());
  return absl::InvalidArgumentError(absl::StrCat(FieldName(field, what), " is missing.", DidYouMean(field, names)));
}

absl::Status WrongType(const Json& value, std::string_view field, std::string_view what, const char* wanted) {
  return absl::InvalidArgumentError(
      absl::StrCat(FieldName(field, what), ": expected ", wanted, ", found ", value.type_name()));
}

absl::StatusOr<int64_t> ToInt(const Json& value, std::string_view field, std::string_view what, int64_t min,
                              int64_t max) {
  auto out_of_range = [&](const std::string& found) {
    return absl::InvalidArgumentError(
        absl::StrCat(FieldName(field, what), ": ", found, " is out of range [", min, ", ", max, "]"));
  };
  int64_t number = 0;
  if (value.is_number_unsigned()) {
    uint64_t wide = value.get<uint64_t>();
    if (wide > static_cast<uint64_t>(INT64_MAX)) return out_of_range(absl::StrCat(wide));
    number = static_cast<int64_t>(wide);
  } else if (value.is_number_integer()) {
    number = value.get<int64_t>();
  } else if (value.is_number_float()) {
    double real = value.get<double>();
    if (real != std::floor(real)) return WrongType(value, field, what, "an integer");
    if (std::abs(real) > 0x1p53) return out_of_range(WriteJsonLine(value));
    number = static_cast<int64_t>(real);
  } else {
    return WrongType(value, field, what, "an integer");
  }
  if (number < min || number > max) return out_of_range(absl::StrCat(number));
  return number;
}

absl::StatusOr<double> ToNumber(const Json& value, std::string_view field, std::string_view what) {
  if (!value.is_number()) return WrongType(value, field, what, "a number");
  return value.get<double>();
}

absl::StatusOr<std::string> ToString(const Json& value, std::string_view field, std::string_view what) {
  if (!value.is_string()) return WrongType(value, field, what, "a string");
  return value.get<std::string>();
}

}  // namespace

absl::StatusOr<Json> ParseJson(std::string_view text, std::string_view what, int max_depth, DuplicateKeys duplicates) {
  // nlohmann takes a NUL byte for the end; JSON has no place for one, inside strings or out.
  if (size_t nul = text.find('\0'); nul != std::string_view::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat(std::string(what), " is not valid JSON at byte ", nul + 1, ": NUL byte"));
  }
  Builder builder(what, max_depth, duplicates);
  Json::sax_parse(text.begin(), text.end(), &builder);
  return std::move(builder).Take();
}

absl::StatusOr<Json> ReadJsonFile(const std::string& path, uint64_t max_bytes) {
  ASSIGN_OR_RETURN(std::string text, ReadFile(path, max_bytes));
  return ParseJson(text, path);
}

std::string WriteJson(const Json& value) { return value.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

std::string WriteJsonLine(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

absl::StatusOr<int64_t> JsonInt(const Json& object, std::string_view field, std::string_view what, int64_t min,
                                int64_t max) {
  ASSIGN_OR_RETURN(const Json* value, NeedField(object, field, what));
  return ToInt(*value, field, what, min, max);
}

absl::StatusOr<int64_t> JsonIntOr(const Json& object, std::string_view field, std::string_view what, int64_t min,
                                  int64_t max, int64_t fallback) {
  ASSIGN_OR_RETURN(const Json* value, FindField(object, field, what));
  if (value == nullptr) return fallback;
  return ToInt(*value, field, what, min, max);
}

absl::StatusOr<double> JsonNumber(const Json& object, std::string_view field, std::string_view what) {
  ASSIGN_OR_RETURN(const Json* value, NeedField(object, field, what));
  return ToNumber(*value, field, what);
}

absl::StatusOr<double> JsonNumberOr(const Json& object, std::string_view field, std::string_view what,
                                    double fallback) {
  ASSIGN_OR_RETURN(const Json* value, FindField(object, field, what));
  if (value == nullptr) return fallback;
  return ToNumber(*value, field, what);
}

absl::StatusOr<std::string> JsonString(const Json& object, std::string_view field, std::string_view what) {
  ASSIGN_OR_RETURN(const Json* value, NeedField(object, field, what));
  return ToString(*value, field, what);
}

absl::StatusOr<std::string> JsonStringOr(const Json& object, std::string_view field, std::string_view what,
                                         std::string_view fallback) {
  ASSIGN_OR_RETURN(const Json* value, FindField(object, field, what));
  if (value == nullptr) return std::string(fallback);
  return ToString(*value, field, what);
}

absl::StatusOr<bool> JsonBoolOr(const Json& object, std::string_view field, std::string_view what, bool fallback) {
  ASSIGN_OR_RETURN(const Json* value, FindField(object, field, what));
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) return WrongType(*value, field, what, "true or false");
  return value->get<bool>();
}

}  // namespace quern
