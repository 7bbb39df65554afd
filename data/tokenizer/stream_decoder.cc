#include "data/tokenizer/stream_decoder.h"

#include "data/tokenizer/char_class.h"

namespace quern {
namespace {

constexpr char kReplacement[] = "\xEF\xBF\xBD";

// Bytes at the start of `text` that could become a character if more followed: a proper prefix of one.
size_t IncompletePrefix(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0xC2 || lead > 0xF4) return 0;
  const size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  const uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  size_t size = 1;
  if (text.size() > 1 && byte(1) >= low && byte(1) <= high) {
    for (size = 2; size < text.size() && size < length && (byte(size) & 0xC0) == 0x80;) ++size;
  }
  return size < length ? size : 0;
}

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
  std::string text;
  const char* const end = held_.data() + held_.size();
  const char* p = held_.data();
  while (p < end) {
    const CodePoint point = ReadCodePoint(p, end);
    if (point.value >= 0) {
      text.append(p, point.size);
      p += point.size;
      continue;
    }
    const size_t incomplete = IncompletePrefix({p, static_cast<size_t>(end - p)});
    if (incomplete == static_cast<size_t>(end - p)) break;
    text += kReplacement;
    p += incomplete > 0 ? incomplete : 1;
  }
  held_.erase(0, p - held_.data());
  return text;
}

std::string StreamDecoder::Finish() {
  const bool incomplete = !held_.empty();
  held_.clear();
  begun_ = false;
  return incomplete ? kReplacement : "";
}

}  // namespace quern
