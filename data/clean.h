// Cleaning of text: what every record goes through before it is compared, split and written.
//
// In order:
//   1. UTF-8 repair: every maximal subpart of an ill-formed sequence becomes U+FFFD (base/utf8.h).
//   2. Line ends: CR LF and CR become LF.
//   3. Control characters are removed: C0 and C1 but for tab and line feed, DEL, and U+FEFF (a byte order mark that
//      strayed into the text). VT, FF, NEL, U+2028 and U+2029, which break lines for some readers only, become spaces.
//   4. NFC (Unicode normalisation form C) by ICU.
//   5. Whitespace: every Unicode space (category Zs) becomes U+0020; spaces and tabs at the end of a line are removed,
//      and a run of them within a line becomes one space; blank lines at the start and the end are removed, and a run
//      of them becomes one, or none (Layout). Indentation is kept in text of several lines (verse, code) and removed
//      from a single line.
//   6. `lower`: lower case (Unicode full mapping, root locale), and NFC again.
// Cleaning what is clean changes nothing.
#ifndef QUERN_DATA_CLEAN_H_
#define QUERN_DATA_CLEAN_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace quern {

// How much cleaning had to do, summed over records.
struct CleanCounts {
  int64_t invalid_utf8 = 0;        // sequences replaced by U+FFFD
  int64_t control_characters = 0;  // removed or turned into spaces
  int64_t normalized = 0;          // records that NFC changed
  int64_t whitespace = 0;          // records whose spaces, line ends or blank lines changed
  int64_t lowered = 0;             // records that `lower` changed
  int64_t changed = 0;             // records that changed at all

  void Add(const CleanCounts& other);
};

struct CleanOptions {
  bool clean = true;  // steps 1 to 5
  bool lower = false;
  // What the text may hold; decides about line ends.
  //   kLine: line ends become spaces. kParagraph: lines, no blank ones. kText: single blank lines too.
  enum class Layout { kLine, kParagraph, kText } layout = Layout::kText;
};

// The cleaned text of one record, appended to `out`.
void CleanText(std::string_view text, const CleanOptions& options, std::string* out, CleanCounts* counts);

// ---- Steps by themselves. Step 1 is in base/utf8.h.

// NFC of well-formed UTF-8 (at most 2 GiB). A run of more than 1000 combining marks is broken up by U+034F.
std::string ToNfc(std::string_view text);
// Lower case of well-formed UTF-8, in NFC.
std::string ToLower(std::string_view text);

}  // namespace quern

#endif  // QUERN_DATA_CLEAN_H_
