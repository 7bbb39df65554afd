#include "cli/ids.h"

#include <algorithm>
#include <charconv>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "cli/exit_status.h"

namespace quern::cli {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool AtEnd() {
    while (at_ < text_.size() && IsBlank(text_[at_])) ++at_;
    return at_ == text_.size();
  }
  bool Take(char c) {
    if (AtEnd() || text_[at_] != c) return false;
    return ++at_, true;
  }
  bool TakeId(int32_t* id) {
    if (AtEnd() || text_[at_] == '-') return false;
    const char* first = text_.data() + at_;
    const auto [end, error] = std::from_chars(first, text_.data() + text_.size(), *id);
    if (error != std::errc() || (*first == '0' && end - first > 1)) return false;  // JSON has no 01
    at_ += static_cast<size_t>(end - first);
    return true;
  }
  // Ids with commas between them, up to `close`.
  bool TakeIds(char close, std::vector<int32_t>* ids) {
    if (Take(close)) return true;
    do {
      if (!TakeId(&ids->emplace_back())) return false;
    } while (Take(','));
    return Take(close);
  }
  size_t line() const { return 1 + static_cast<size_t>(std::count(text_.begin(), text_.begin() + at_, '\n')); }

 private:
  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

absl::StatusOr<std::vector<int32_t>> ParseIdList(std::string_view text, std::string_view flag) {
  std::vector<int32_t> ids;
  const std::string closed = absl::StrCat(std::string(text), "]");  // so that a list without brackets ends, too
  Scanner scanner(closed);
  const bool bracketed = scanner.Take('[');
  if (scanner.TakeIds(']', &ids) && (!bracketed || scanner.Take(']')) && scanner.AtEnd()) return ids;
  return UsageError(absl::StrCat(std::string(flag), " takes token ids with commas between them, \"1,2,3\"; got \"",
                                 std::string(text), "\""));
}

absl::Status ParseIdArrays(std::string_view text, std::string_view what,
                           const std::function<absl::Status(std::vector<int32_t> ids)>& take) {
  Scanner scanner(text);
  while (!scanner.AtEnd()) {
    std::vector<int32_t> ids;
    if (!scanner.Take('[') || !scanner.TakeIds(']', &ids)) {
      return absl::InvalidArgumentError(absl::StrCat(std::string(what), ", line ", scanner.line(),
                                                     ": a JSON array of token ids is expected, [1, 2, 3]"));
    }
    RETURN_IF_ERROR(take(std::move(ids)));
  }
  return absl::OkStatus();
}

std::string FormatIds(std::span<const int32_t> ids) {
  std::string out = "[";
  char digits[16];
  for (size_t i = 0; i < ids.size(); ++i) {
    if (i > 0) out += ", ";
    out.append(digits, std::to_chars(digits, digits + sizeof(digits), ids[i]).ptr);
  }
  return out += "]";
}

}  // namespace quern::cli
