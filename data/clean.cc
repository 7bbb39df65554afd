#include "data/clean.h"

#include <array>

#include "base/log.h"
#include "base/utf8.h"
#include "unicode/bytestream.h"
#include "unicode/casemap.h"
#include "unicode/normalizer2.h"

namespace quern {
namespace {

using Layout = CleanOptions::Layout;

// What a byte of the text means for the fast path. Two neighbours of kGap ask for a closer look.
enum ByteFlag : uint8_t { kNonAscii = 1, kOdd = 2, kNewline = 4, kUpper = 8, kGap = 16 };

constexpr std::array<uint8_t, 256> MakeByteFlags() {
  std::array<uint8_t, 256> flags{};
  for (int c = 0; c < 256; ++c) {
    if (c >= 0x80) flags[c] = kNonAscii;
    if (c < 0x20 || c == 0x7F) flags[c] = kOdd;
    if (c >= 'A' && c <= 'Z') flags[c] = kUpper;
  }
  flags[' '] = kGap;
  flags['\n'] = kGap | kNewline;
  return flags;
}
constexpr std::array<uint8_t, 256> kByteFlags = MakeByteFlags();

// The union of the bytes' flags; kGap in it stands for two neighbours, or one at either end.
uint8_t ScanFlags(std::string_view text) {
  uint8_t seen = 0, gaps = 0, previous = kGap;
  for (char c : text) {
    const uint8_t flags = kByteFlags[static_cast<unsigned char>(c)];
    seen |= flags;
    gaps |= flags & previous;
    previous = flags;
  }
  gaps |= previous;
  return static_cast<uint8_t>((seen & ~kGap) | (gaps & kGap));
}

// Bytes that MapCharacters must look at: controls, and the first bytes of the characters that it replaces.
constexpr std::array<bool, 256> MakeStops() {
  std::array<bool, 256> stops{};
  for (int c = 0; c < 0x20; ++c) stops[c] = true;
  stops[0x7F] = stops[0xC2] = stops[0xE1] = stops[0xE2] = stops[0xE3] = stops[0xEF] = true;
  return stops;
}
constexpr std::array<bool, 256> kStops = MakeStops();

enum class Mapping { kKeep, kSpace, kBreak, kDrop, kLineEnd };

Mapping MapCodePoint(char32_t c) {
  if (c == '\n' || c == '\r') return Mapping::kLineEnd;
  if (c == '\t') return Mapping::kKeep;
  if (c == 0x0B || c == 0x0C || c == 0x85 || c == 0x2028 || c == 0x2029) return Mapping::kBreak;
  if (c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0xFEFF) return Mapping::kDrop;
  const bool space = c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x202F || c == 0x205F;
  return space || c == 0x3000 ? Mapping::kSpace : Mapping::kKeep;
}

// Steps 2 and 3, and the spaces of step 5. Sets `*spaces` when it touched whitespace; returns the controls touched.
int64_t MapCharacters(std::string_view text, Layout layout, std::string* out, bool* spaces) {
  int64_t controls = 0;
  size_t at = 0;
  while (at < text.size()) {
    size_t end = at;
    while (end < text.size() && !kStops[static_cast<unsigned char>(text[end])]) ++end;
    out->append(text.substr(at, end - at));
    if (end == text.size()) break;
    at = end;
    const char32_t c = NextCodePoint(text, &at);
    const Mapping mapping = MapCodePoint(c);
    if (mapping == Mapping::kKeep) out->append(text.substr(end, at - end));
    if (mapping == Mapping::kSpace || mapping == Mapping::kBreak) out->push_back(' ');
    if (mapping == Mapping::kLineEnd) {
      if (c == '\r' && at < text.size() && text[at] == '\n') ++at;
      out->push_back(layout == Layout::kLine ? ' ' : '\n');
    }
    controls += mapping == Mapping::kDrop || mapping == Mapping::kBreak;
    *spaces |= mapping == Mapping::kSpace || c == '\r' || (c == '\n' && layout == Layout::kLine);
  }
  return controls;
}

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

// A line's body, from its first character that is not blank: every run of blanks becomes one space.
void AppendCollapsed(std::string_view line, std::string* out) {
  for (size_t i = 0; i < line.size(); ++i) {
    if (!IsBlank(line[i])) {
      out->push_back(line[i]);
    } else if (!IsBlank(line[i - 1])) {
      out->push_back(' ');
    }
  }
}

// Step 5 on text whose only spaces are U+0020, tab and LF.
std::string ArrangeLines(std::string_view text, Layout layout) {
  std::string out;
  out.reserve(text.size());
  size_t lines = 0, indent_of_first = 0;
  bool blank_before = false;
  while (!text.empty()) {
    const size_t newline = text.find('\n');
    std::string_view line = text.substr(0, newline);
    text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
    const size_t last = line.find_last_not_of(" \t");
    if (last == std::string_view::npos) {
      blank_before = true;
      continue;
    }
    line = line.substr(0, last + 1);
    if (lines > 0) out += blank_before && layout == Layout::kText ? "\n\n" : "\n";
    blank_before = false;
    const size_t indent = line.find_first_not_of(" \t");
    if (++lines == 1) indent_of_first = indent;
    out.append(line.substr(0, indent));
    AppendCollapsed(line.substr(indent), &out);
  }
  if (lines == 1) out.erase(0, indent_of_first);
  return out;
}

// Putting combining marks in order takes time with the square of their number, so a hostile megabyte of them would take
// hours. As in Unicode's Stream-Safe Text Format (UAX #15, section 13) a run of marks is broken up by U+034F, which is
// not one; real text has runs of five.
constexpr size_t kLongestMarks = 1000;

// False where `text` has no such run, and then `out` is not to be used.
bool LimitMarks(const icu::Normalizer2& nfc, std::string_view text, std::string* out) {
  size_t marks = 0, copied = 0;
  for (size_t at = 0; at < text.size();) {
    if (static_cast<unsigned char>(text[at]) < 0xCC) {  // below U+0300
      marks = 0;
      ++at;
      continue;
    }
    const size_t start = at;
    const char32_t c = NextCodePoint(text, &at);
    // Three are no marks by their class, but decompose into two.
    const bool mark = nfc.getCombiningClass(static_cast<UChar32>(c)) != 0 || c == 0xF73 || c == 0xF75 || c == 0xF81;
    marks = mark ? marks + 1 : 0;
    if (marks <= kLongestMarks) continue;
    out->append(text.substr(copied, start - copied)).append("\xCD\x8F");
    copied = start;
    marks = 1;
  }
  if (copied > 0) out->append(text.substr(copied));
  return copied > 0;
}

// Ill-formed bytes, which only uncleaned text can hold, are kept.
std::string LowerWellFormedParts(std::string_view text) {
  std::string out;
  while (true) {
    const size_t valid = ValidUtf8Prefix(text);
    out += ToLower(text.substr(0, valid));
    if (valid == text.size()) return out;
    out += text[valid];
    text.remove_prefix(valid + 1);
  }
}

void AppendAsciiLower(std::string_view text, std::string* out) {
  for (char c : text) out->push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c);
}

// Steps 1 to 5, the long way.
std::string CleanSlowly(std::string_view text, Layout layout, CleanCounts* counts) {
  std::string repaired, mapped;
  if (ValidUtf8Prefix(text) != text.size()) {
    counts->invalid_utf8 += RepairUtf8(text, &repaired).replacements;
    text = repaired;
  }
  bool spaces = false;
  mapped.reserve(text.size());
  counts->control_characters += MapCharacters(text, layout, &mapped, &spaces);
  std::string normal = ToNfc(mapped);
  counts->normalized += normal != mapped;
  std::string arranged = ArrangeLines(normal, layout);
  counts->whitespace += spaces || arranged != normal;
  return arranged;
}

}  // namespace

void CleanCounts::Add(const CleanCounts& other) {
  invalid_utf8 += other.invalid_utf8;
  control_characters += other.control_characters;
  normalized += other.normalized;
  whitespace += other.whitespace;
  lowered += other.lowered;
  changed += other.changed;
}

void CleanText(std::string_view text, const CleanOptions& options, std::string* out, CleanCounts* counts) {
  if (text.empty() || (!options.clean && !options.lower)) {
    out->append(text);
    return;
  }
  const uint8_t flags = ScanFlags(text);
  const uint8_t simple = options.layout == Layout::kLine ? kUpper : kUpper | kNewline;
  const bool lowers = options.lower && (flags & (kUpper | kNonAscii));
  if ((flags & ~simple) == 0) {
    if (!lowers) {
      out->append(text);
      return;
    }
    AppendAsciiLower(text, out);
    ++counts->lowered;
    ++counts->changed;
    return;
  }
  std::string cleaned = options.clean ? CleanSlowly(text, options.layout, counts) : std::string(text);
  if (lowers) {
    std::string lowered = LowerWellFormedParts(cleaned);
    counts->lowered += lowered != cleaned;
    cleaned = std::move(lowered);
  }
  counts->changed += cleaned != text;
  out->append(cleaned);
}

std::string ToNfc(std::string_view text) {
  bool ascii = true;
  for (char c : text) ascii &= static_cast<signed char>(c) >= 0;
  if (ascii) return std::string(text);
  // Once, under the compiler's guard: ThreadSanitizer does not see into ICU's own.
  static const icu::Normalizer2* const nfc = [] {
    UErrorCode error = U_ZERO_ERROR;
    const icu::Normalizer2* instance = icu::Normalizer2::getNFCInstance(error);
    CHECK(U_SUCCESS(error)) << "ICU has no NFC data: " << u_errorName(error);
    return instance;
  }();
  UErrorCode error = U_ZERO_ERROR;
  std::string safe;
  if (text.size() > kLongestMarks && LimitMarks(*nfc, text, &safe)) text = safe;
  const icu::StringPiece piece(text.data(), static_cast<int32_t>(text.size()));
  if (nfc->isNormalizedUTF8(piece, error) && U_SUCCESS(error)) return std::string(text);
  error = U_ZERO_ERROR;
  std::string out;
  icu::StringByteSink<std::string> sink(&out, static_cast<int32_t>(text.size()));
  nfc->normalizeUTF8(0, piece, sink, nullptr, error);
  CHECK(U_SUCCESS(error)) << "NFC: " << u_errorName(error);
  return out;
}

std::string ToLower(std::string_view text) {
  std::string out;
  UErrorCode error = U_ZERO_ERROR;
  icu::StringByteSink<std::string> sink(&out, static_cast<int32_t>(text.size()));
  icu::CaseMap::utf8ToLower("", 0, icu::StringPiece(text.data(), static_cast<int32_t>(text.size())), sink, nullptr,
                            error);
  CHECK(U_SUCCESS(error)) << "lower case: " << u_errorName(error);
  return ToNfc(out);
}

}  // namespace quern
