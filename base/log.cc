#include "base/log.h"

#include <atomic>
#include <cstdlib>
#include <memory>

#include "spdlog/sinks/stdout_sinks.h"
#include "spdlog/spdlog.h"

namespace quern {
namespace {

std::atomic<int> min_severity{static_cast<int>(LogSeverity::kInfo)};
std::atomic<void (*)()> before_line{nullptr};
std::atomic<void (*)()> after_line{nullptr};

spdlog::logger& Logger() {
  // Leaked on purpose: a message may be written while the process is going down.
  static auto* logger = [] {
    auto* made = new spdlog::logger("quern", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%v");
    made->set_level(spdlog::level::trace);
    made->flush_on(spdlog::level::trace);
    return made;
  }();
  return *logger;
}

std::string_view Basename(std::string_view path) {
  size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

void Write(LogSeverity severity, const char* file, int line, const std::string& text) {
  if (static_cast<int>(severity) < min_severity.load() && severity != LogSeverity::kFatal) return;
  if (auto hook = before_line.load()) hook();
  switch (severity) {
    case LogSeverity::kInfo:
      Logger().info("{}", text);
      break;
    case LogSeverity::kWarning:
      Logger().warn("warning: {}", text);
      break;
    case LogSeverity::kError:
      Logger().error("error: {}", text);
      break;
    case LogSeverity::kFatal:
      Logger().critical("fatal: {} [{}:{}]", text, Basename(file), line);
      break;
  }
  if (auto hook = after_line.load()) hook();
}

}  // namespace

void SetMinLogSeverity(LogSeverity severity) { min_severity = static_cast<int>(severity); }

void SetLogHooks(void (*before)(), void (*after)()) {
  before_line = before;
  after_line = after;
}

namespace log_internal {

Message::~Message() { Write(severity_, file_, line_, stream_.str()); }

FatalMessage::~FatalMessage() {
  Write(LogSeverity::kFatal, file_, line_, stream_.str());
  std::abort();
}

}  // namespace log_internal
}  // namespace quern
