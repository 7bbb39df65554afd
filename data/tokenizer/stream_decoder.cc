#include "data/tokenizer/stream_decoder.h"

#include <string_view>

#include "base/utf8.h"

namespace quern {
namespace {

constexpr char kReplacement[] = "\xEF\xBF\xBD";

}  // namespace

std::string StreamDecoder::Push(int32_t id) {
  if (options_.skip_special && tokenizer_.IsSpecial(id)) return "";
  std::string_view bytes = tokenizer_.TokenBytes(id);
  if (!begun_ && !tokenizer_.IsSpecial(id)) {
    begun_ = true;
    const bool drop = tokenizer_.drops_first_space() && !options_.continues;
    if (drop && bytes.substr(0, 1) == " ") bytes.remove_prefix(1);
  }
  held_ += bytes;
  const size_t whole = held_.size() - IncompleteUtf8Suffix(held_);
  std::string text;
  RepairUtf8(std::string_view(held_).substr(0, whole), &text);
  held_.erase(0, whole);
  return text;
}

std::string StreamDecoder::Finish() {
  const bool incomplete = !held_.empty();
  held_.clear();
  begun_ = false;
  return incomplete ? kReplacement : "";
}

}  // namespace quern
