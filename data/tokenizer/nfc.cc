#include "data/tokenizer/nfc.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/utf8.h"
#include "data/tokenizer/split_pattern.h"
#include "unicode/bytestream.h"
#include "unicode/normalizer2.h"
#include "unicode/stringpiece.h"

namespace quern {
namespace {

// ICU puts combining marks in order one by one, in time with the square of their number: a hostile megabyte of them
// takes minutes. From here on they are sorted before; real text has runs of five.
constexpr size_t kManyMarks = 100;

// The three characters that are no marks by their class (0), but decompose into two, also in NFC: U+0F73, U+0F75 and
// U+0F81. "" for others.
std::string_view DecomposeTibetanVowel(UChar32 c) {
  return c == 0xF73 ? "\u0F71\u0F72" : c == 0xF75 ? "\u0F71\u0F74" : c == 0xF81 ? "\u0F71\u0F80" : "";
}

// Sorts long runs of marks by their combining classes; equal ones keep their order, so the text stays canonically
// equivalent to what it was (Unicode 15.0, D108 and D109) and has the same NFC. Few texts have such a run: false where
// `valid` has none, and then `out` is not to be used.
bool SortLongMarks(const icu::Normalizer2& nfc, std::string_view valid, std::string* out) {
  struct Mark {
    uint8_t combining_class;
    std::string_view bytes;
  };
  std::vector<Mark> run;
  size_t run_begin = 0, copied = 0;
  const auto end_run = [&](size_t end) {
    if (run.size() >= kManyMarks) {
      std::stable_sort(run.begin(), run.end(),
                       [](const Mark& a, const Mark& b) { return a.combining_class < b.combining_class; });
      out->append(valid.substr(copied, run_begin - copied));
      for (const Mark& mark : run) out->append(mark.bytes);
      copied = end;
    }
    run.clear();
  };
  for (size_t at = 0; at < valid.size();) {
    const size_t begin = at;
    if (static_cast<unsigned char>(valid[at]) < 0xCC) {  // below U+0300: no mark
      if (!run.empty()) end_run(begin);
      ++at;
      continue;
    }
    const auto c = static_cast<UChar32>(NextCodePoint(valid, &at));
    std::string_view marks = DecomposeTibetanVowel(c);
    if (marks.empty() && nfc.getCombiningClass(c) != 0) marks = valid.substr(begin, at - begin);
    if (marks.empty()) end_run(begin);
    if (run.empty()) run_begin = begin;
    for (size_t mark = 0; mark < marks.size();) {
      const size_t mark_begin = mark;
      const auto m = static_cast<UChar32>(NextCodePoint(marks, &mark));
      run.push_back({nfc.getCombiningClass(m), marks.substr(mark_begin, mark - mark_begin)});
    }
  }
  end_run(valid.size());
  if (copied > 0) out->append(valid.substr(copied));
  return copied > 0;
}

void AppendNfc(const icu::Normalizer2& nfc, std::string_view valid, std::string* out) {
  std::string sorted;
  if (SortLongMarks(nfc, valid, &sorted)) valid = sorted;
  UErrorCode error = U_ZERO_ERROR;
  icu::StringByteSink<std::string> sink(out);
  nfc.normalizeUTF8(0, icu::StringPiece(valid.data(), static_cast<int32_t>(valid.size())), sink, nullptr, error);
  CHECK(U_SUCCESS(error)) << "ICU normalizeUTF8: " << u_errorName(error);
}

}  // namespace

std::optional<std::string> NormalizeNfc(std::string_view text) {
  if (std::all_of(text.begin(), text.end(), [](char c) { return static_cast<signed char>(c) >= 0; })) {
    return std::nullopt;
  }
  // Once, under the compiler's guard: ThreadSanitizer does not see into ICU's own.
  static const icu::Normalizer2* const nfc = [] {
    UErrorCode error = U_ZERO_ERROR;
    const icu::Normalizer2* instance = icu::Normalizer2::getNFCInstance(error);
    CHECK(U_SUCCESS(error)) << "ICU has no NFC data: " << u_errorName(error);
    return instance;
  }();
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  // ICU counts in 31 bits. A space after a letter is a boundary in any pattern and in NFC.
  constexpr size_t kPart = size_t{1} << 24;
  for (std::string_view part : SafeParts(text, SplitPattern::kGpt2, kPart)) {
    while (!part.empty()) {
      const size_t valid = std::min(ValidUtf8Prefix(part), size_t{INT32_MAX});
      AppendNfc(*nfc, part.substr(0, valid), &out);
      part.remove_prefix(valid);
      if (part.empty()) break;
      out += part[0];
      part.remove_prefix(1);
    }
  }
  if (out == text) return std::nullopt;
  return out;
}

}  // namespace quern
