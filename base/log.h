// LOG(INFO) << ..., CHECK(cond) << ..., CHECK_EQ(a, b): the names and meaning of absl/log, which Debian's Abseil lacks.
//
// One line on stderr per message. Severity INFO is dropped under --quiet (SetMinLogSeverity). LOG(FATAL) and a failed
// CHECK flush and abort: they are for programmers' invariants, never for what a user or a file got wrong.
// Nothing inside kernels logs. Thread-safe.
#ifndef QUERN_BASE_LOG_H_
#define QUERN_BASE_LOG_H_

#include <sstream>
#include <string>
#include <string_view>

namespace quern {

enum class LogSeverity { kInfo, kWarning, kError, kFatal };

// Messages below `severity` are dropped. FATAL never is.
void SetMinLogSeverity(LogSeverity severity);

// A hook run before each line is written and after (a progress bar uses it to step aside). Null to remove.
void SetLogHooks(void (*before)(), void (*after)());

namespace log_internal {

class Message {
 public:
  Message(LogSeverity severity, const char* file, int line) : severity_(severity), file_(file), line_(line) {}
  ~Message();
  std::ostream& stream() { return stream_; }

 private:
  LogSeverity severity_;
  const char* file_;
  int line_;
  std::ostringstream stream_;
};

class FatalMessage {
 public:
  FatalMessage(const char* file, int line, std::string_view what) : file_(file), line_(line) { stream_ << what; }
  [[noreturn]] ~FatalMessage();
  std::ostream& stream() { return stream_; }

 private:
  const char* file_;
  int line_;
  std::ostringstream stream_;
};

// Lets the macros below be expressions of type void.
struct Voidify {
  void operator&&(std::ostream&) const {}
};

template <typename A, typename B>
std::string DescribePair(const char* expr, const A& a, const B& b) {
  std::ostringstream os;
  os << "CHECK failed: " << expr << " (" << a << " vs. " << b << ") ";
  return os.str();
}

}  // namespace log_internal
}  // namespace quern

#define LOG(severity) QUERN_LOG_##severity
#define QUERN_LOG_INFO ::quern::log_internal::Message(::quern::LogSeverity::kInfo, __FILE__, __LINE__).stream()
#define QUERN_LOG_WARNING ::quern::log_internal::Message(::quern::LogSeverity::kWarning, __FILE__, __LINE__).stream()
#define QUERN_LOG_ERROR ::quern::log_internal::Message(::quern::LogSeverity::kError, __FILE__, __LINE__).stream()
#define QUERN_LOG_FATAL ::quern::log_internal::FatalMessage(__FILE__, __LINE__, "").stream()

#define CHECK(cond)                            \
  (cond) ? (void)0                             \
         : ::quern::log_internal::Voidify() && \
               ::quern::log_internal::FatalMessage(__FILE__, __LINE__, "CHECK failed: " #cond " ").stream()

#define QUERN_CHECK_OP_(op, a, b)                                                                            \
  ((a)op(b)) ? (void)0                                                                                       \
             : ::quern::log_internal::Voidify() &&                                                           \
                   ::quern::log_internal::FatalMessage(                                                      \
                       __FILE__, __LINE__, ::quern::log_internal::DescribePair(#a " " #op " " #b, (a), (b))) \
                       .stream()
#define CHECK_EQ(a, b) QUERN_CHECK_OP_(==, a, b)
#define CHECK_NE(a, b) QUERN_CHECK_OP_(!=, a, b)
#define CHECK_LT(a, b) QUERN_CHECK_OP_(<, a, b)
#define CHECK_LE(a, b) QUERN_CHECK_OP_(<=, a, b)
#define CHECK_GT(a, b) QUERN_CHECK_OP_(>, a, b)
#define CHECK_GE(a, b) QUERN_CHECK_OP_(>=, a, b)
#define CHECK_OK(expr)                                      \
  for (auto quern_check_ok = (expr); !quern_check_ok.ok();) \
  LOG(FATAL) << "CHECK failed: " #expr " is OK: " << quern_check_ok.ToString() << " "

#endif  // QUERN_BASE_LOG_H_
