#include "cli/chat/line_reader.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"

namespace quern::cli {
namespace {

constexpr size_t kLongestLine = size_t{1} << 24;
// A signal between the look at its flag and poll() goes unnoticed for so long.
constexpr int kPollMilliseconds = 200;
// What a terminal keeps of a line, newline left out (Linux: N_TTY_BUF_SIZE).
constexpr size_t kTerminalLine = 4095;

std::string WithoutEnd(std::string line) {
  if (!line.empty() && line.back() == '\r') line.pop_back();
  return line;
}

}  // namespace

absl::StatusOr<std::optional<std::string>> LineReader::Next() {
  while (true) {
    const size_t end = buffer_.find('\n', searched_);
    if (end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      searched_ = 0;
      if (line.size() >= kTerminalLine && isatty(fd_) == 1) {
        LOG(WARNING) << "a terminal takes lines of " << kTerminalLine
                     << " bytes, and what was longer is lost; give a long text by a pipe or --prompt_file";
      }
      return WithoutEnd(std::move(line));
    }
    searched_ = buffer_.size();
    if (ended_) {
      if (buffer_.empty()) return std::nullopt;
      searched_ = 0;
      return WithoutEnd(std::exchange(buffer_, std::string()));
    }
    if (buffer_.size() > kLongestLine) return absl::InvalidArgumentError("standard input: a line longer than 16 MiB");
    if (Interrupted()) return absl::CancelledError("interrupted");
    pollfd ready = {fd_, POLLIN, 0};
    if (poll(&ready, 1, kPollMilliseconds) <= 0) continue;
    char bytes[1 << 14];
    const ssize_t got = read(fd_, bytes, sizeof(bytes));
    if (got < 0 && errno != EINTR && errno != EAGAIN) return FileError(errno, "reading", "standard input");
    if (got == 0) ended_ = true;
    if (got > 0) buffer_.append(bytes, static_cast<size_t>(got));
  }
}

}  // namespace quern::cli
