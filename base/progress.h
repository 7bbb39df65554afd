// Progress of long work on stderr: a bar with rate and ETA on a terminal (redrawn at most ten times a second), a plain
// line at most every five seconds elsewhere, nothing under --quiet. Log lines step around the bar.
#ifndef QUERN_BASE_PROGRESS_H_
#define QUERN_BASE_PROGRESS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace quern {

class Progress {
 public:
  // `unit` names what is counted ("steps"); "bytes" is shown as kB, MB, ...; `total` 0 means unknown. Of several at
  // once (an evaluation within training) the one made last has the line.
  Progress(std::string_view label, int64_t total, std::string_view unit);
  ~Progress();
  // From any thread. Sets the count done so far (work resumed at 500 of 1000 starts with Update(500) and its ETA counts
  // from there), and a note shown at the end of the line ("loss 1.93, 12.3k tok/s").
  void Update(int64_t done, std::string_view note = {});
  // Removes the bar, or writes the last plain line. The destructor does it otherwise.
  void Finish();

  static void SetQuiet(bool quiet);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// "12 ms", "1.2 s", "3m 20s", "2h 05m", "4d 03h"; "?" for a negative or unknown (NaN, infinite) time.
std::string FormatDuration(double seconds);
// "4.4 MB", "812 kB", "97 B"; decimal units.
std::string FormatBytes(uint64_t bytes);
// "1,234,567".
std::string FormatCount(int64_t count);

// What the bar and the plain lines say; for tests.
struct ProgressState {
  std::string label, unit, note;
  int64_t done = 0, total = 0;
  double rate = 0;  // units per second; 0: not known yet, or over less than a tenth of a second
};
// At most `columns` characters (where label and note are ASCII).
std::string RenderBar(const ProgressState& state, int columns);
std::string RenderLine(const ProgressState& state);

}  // namespace quern

#endif  // QUERN_BASE_PROGRESS_H_
