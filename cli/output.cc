#include "cli/output.h"

#include <unistd.h>

#include <cerrno>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"

namespace quern::cli {

absl::Status Print(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return FileError(errno, "writing", "standard output");
    text.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

bool StdoutIsTerminal() { return isatty(STDOUT_FILENO) == 1; }

absl::StatusOr<std::string> ReadStdin() {
  if (isatty(STDIN_FILENO) == 1) LOG(INFO) << "reading standard input; end it with Ctrl-D";
  std::string text;
  char buffer[1 << 16];
  while (true) {
    const ssize_t got = read(STDIN_FILENO, buffer, sizeof(buffer));
    if (got == 0) return text;
    if (got < 0 && errno != EINTR) return FileError(errno, "reading", "standard input");
    if (Interrupted()) return absl::CancelledError("interrupted while reading standard input");
    if (got > 0) text.append(buffer, static_cast<size_t>(got));
  }
}

}  // namespace quern::cli
