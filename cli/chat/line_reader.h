// Lines from a terminal, a pipe or a file, one by one, as they come.
#ifndef QUERN_CLI_CHAT_LINE_READER_H_
#define QUERN_CLI_CHAT_LINE_READER_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"

namespace quern::cli {

class LineReader {
 public:
  explicit LineReader(int fd) : fd_(fd) {}

  // The next line without its end ("\n" or "\r\n"); none at the end of the input. A last line may lack its end.
  // Cancelled after a signal (base/interrupt.h). InvalidArgument: a line longer than 16 MiB. Unavailable and others:
  // reading failed.
  absl::StatusOr<std::optional<std::string>> Next();

 private:
  int fd_;
  bool ended_ = false;
  std::string buffer_;   // read, not given out
  size_t searched_ = 0;  // bytes of it that hold no newline
};

}  // namespace quern::cli

#endif  // QUERN_CLI_CHAT_LINE_READER_H_
