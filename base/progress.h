// Progress of long work on stderr: a bar with rate and ETA on a terminal, a plain line every few seconds elsewhere,
// nothing under --quiet. Log lines step around the bar.
#ifndef QUERN_BASE_PROGRESS_H_
#define QUERN_BASE_PROGRESS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace quern {

class Progress {
 public:
  // `unit` names what is counted ("steps", "MB"); `total` 0 means unknown.
  Progress(std::string_view label, int64_t total, std::string_view unit);
  ~Progress();
  // Sets the count done so far (work resumed at 500 of 1000 starts with Update(500) and its ETA counts from there),
  // and a note shown at the end of the line ("loss 1.93, 12.3k tok/s").
  void Update(int64_t done, std::string_view note = {});
  // Removes the bar, or writes the last plain line.
  void Finish();

  static void SetQuiet(bool quiet);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// "1.2 s", "3m 20s", "2h 05m".
std::string FormatDuration(double seconds);
// "4.4 MB", "812 kB"; decimal units.
std::string FormatBytes(uint64_t bytes);
// "1,234,567".
std::string FormatCount(int64_t count);

}  // namespace quern

#endif  // QUERN_BASE_PROGRESS_H_
