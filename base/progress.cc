#include "base/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <vector>

#include "base/clock.h"
#include "base/log.h"

namespace quern {
namespace {

constexpr double kRedrawSeconds = 0.1;
constexpr double kLineSeconds = 5;
// A rate over less says more of the clock than of the work.
constexpr double kLeastRateSeconds = 0.1;
constexpr char kEraseLine[] = "\r\033[K";

bool quiet = false;

void WriteToStderr(std::string_view text) {
  while (!text.empty()) {
    ssize_t wrote = write(STDERR_FILENO, text.data(), text.size());
    if (wrote <= 0) return;
    text.remove_prefix(static_cast<size_t>(wrote));
  }
}

bool StderrIsTerminal() {
  const char* term = std::getenv("TERM");
  return isatty(STDERR_FILENO) == 1 && (term == nullptr || std::strcmp(term, "dumb") != 0);
}

int TerminalColumns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

template <typename... Args>
std::string Format(const char* format, Args... args) {
  char text[64];
  std::snprintf(text, sizeof(text), format, args...);
  return text;
}

std::string Amount(const ProgressState& state, int64_t count) {
  return state.unit == "bytes" ? FormatBytes(static_cast<uint64_t>(std::max<int64_t>(0, count))) : FormatCount(count);
}

std::string Counts(const ProgressState& state) {
  std::string text = Amount(state, state.done);
  if (state.total > 0) text += "/" + Amount(state, state.total);
  return state.unit == "bytes" ? text : text + " " + state.unit;
}

std::string Rate(const ProgressState& state) {
  if (state.unit == "bytes") return FormatBytes(static_cast<uint64_t>(state.rate)) + "/s";
  return Format(state.rate < 100 ? "%.2f" : "%.0f", state.rate) + " " + state.unit + "/s";
}

int Percent(const ProgressState& state) {
  const double share = static_cast<double>(state.done) / static_cast<double>(state.total);
  return static_cast<int>(100 * std::clamp(share, 0.0, 1.0));
}

// ", 12.30 steps/s, ETA 1m 20s, loss 1.93" with what is known of it.
std::string Tail(const ProgressState& state) {
  std::string text;
  if (state.rate > 0) text += ", " + Rate(state);
  if (state.rate > 0 && state.total > state.done) {
    text += ", ETA " + FormatDuration(static_cast<double>(state.total - state.done) / state.rate);
  }
  if (!state.note.empty()) text += ", " + state.note;
  return text;
}

}  // namespace

struct Progress::Impl {
  ProgressState state;
  bool terminal = StderrIsTerminal();
  bool started = false, finished = false;
  int64_t first_done = 0;
  double first_time = 0, start_time = MonotonicSeconds(), last_shown = 0;

  // Guards every Impl and `active`. Leaked: hooks may run while static objects are being destroyed.
  static std::mutex& Mutex() {
    static auto* mutex = new std::mutex;
    return *mutex;
  }
  static std::vector<Impl*>& Active() {
    static auto* active = new std::vector<Impl*>;
    return *active;
  }
  bool HasLine() const { return !quiet && !finished && !Active().empty() && Active().back() == this; }

  void Draw() const { WriteToStderr(kEraseLine + RenderBar(state, TerminalColumns() - 1)); }

  static void BeforeLog() {
    std::lock_guard<std::mutex> lock(Mutex());
    if (!Active().empty() && Active().back()->terminal && !quiet) WriteToStderr(kEraseLine);
  }
  static void AfterLog() {
    std::lock_guard<std::mutex> lock(Mutex());
    if (!Active().empty() && Active().back()->terminal && Active().back()->started && !quiet) Active().back()->Draw();
  }
};

Progress::Progress(std::string_view label, int64_t total, std::string_view unit) : impl_(new Impl) {
  impl_->state.label = label;
  impl_->state.total = total;
  impl_->state.unit = unit;
  impl_->last_shown = impl_->terminal ? 0 : impl_->start_time;
  std::lock_guard<std::mutex> lock(Impl::Mutex());
  Impl::Active().push_back(impl_.get());
  SetLogHooks(Impl::BeforeLog, Impl::AfterLog);
}

Progress::~Progress() { Finish(); }

void Progress::Update(int64_t done, std::string_view note) {
  std::lock_guard<std::mutex> lock(Impl::Mutex());
  const double now = MonotonicSeconds();
  if (!impl_->started) {
    impl_->started = true;
    impl_->first_done = done;
    impl_->first_time = now;
  }
  impl_->state.done = done;
  impl_->state.note = note;
  const double seconds = now - impl_->first_time;
  impl_->state.rate = seconds >= kLeastRateSeconds ? static_cast<double>(done - impl_->first_done) / seconds : 0;
  if (!impl_->HasLine() || now - impl_->last_shown < (impl_->terminal ? kRedrawSeconds : kLineSeconds)) return;
  impl_->last_shown = now;
  if (impl_->terminal) {
    impl_->Draw();
  } else {
    WriteToStderr(RenderLine(impl_->state) + "\n");
  }
}

void Progress::Finish() {
  std::lock_guard<std::mutex> lock(Impl::Mutex());
  if (impl_->finished) return;
  if (impl_->HasLine() && impl_->terminal) WriteToStderr(kEraseLine);
  if (!quiet && !impl_->terminal && impl_->started) {
    WriteToStderr(RenderLine(impl_->state) + ", took " + FormatDuration(MonotonicSeconds() - impl_->start_time) + "\n");
  }
  impl_->finished = true;
  std::vector<Impl*>& active = Impl::Active();
  active.erase(std::remove(active.begin(), active.end(), impl_.get()), active.end());
  if (active.empty()) SetLogHooks(nullptr, nullptr);
}

void Progress::SetQuiet(bool value) {
  std::lock_guard<std::mutex> lock(Impl::Mutex());
  quiet = value;
}

std::string RenderLine(const ProgressState& state) {
  std::string text = state.label + ": " + Counts(state);
  if (state.total > 0) text += " (" + std::to_string(Percent(state)) + "%)";
  return text + Tail(state);
}

std::string RenderBar(const ProgressState& state, int columns) {
  std::string before = state.label + " ", after = Counts(state) + Tail(state);
  constexpr int kWidest = 30, kNarrowest = 6;
  const int room = columns - static_cast<int>(before.size() + after.size()) - 8;  // "[] 100% "
  if (state.total > 0 && room >= kNarrowest) {
    const int width = std::min(room, kWidest), filled = width * Percent(state) / 100;
    before += "[" + std::string(filled, '#') + std::string(width - filled, '.') + "]";
  }
  if (state.total > 0) before += Format("%4d%% ", Percent(state));
  return (before + after).substr(0, static_cast<size_t>(std::max(1, columns)));
}

std::string FormatDuration(double seconds) {
  if (!(seconds >= 0) || std::isinf(seconds)) return "?";
  if (seconds < 0.1) return Format("%.0f ms", seconds * 1e3);
  if (seconds < 59.95) return Format("%.1f s", seconds);
  const long long whole = std::llround(std::min(seconds, 1e15));
  const long long minutes = whole / 60, hours = minutes / 60, days = hours / 24;
  if (hours == 0) return Format("%lldm %02llds", minutes, whole % 60);
  if (days == 0) return Format("%lldh %02lldm", hours, minutes % 60);
  return Format("%lldd %02lldh", days, hours % 24);
}

std::string FormatBytes(uint64_t bytes) {
  if (bytes < 1000) return std::to_string(bytes) + " B";
  double value = static_cast<double>(bytes);
  for (const char* unit : {"kB", "MB", "GB", "TB", "PB", "EB"}) {
    value /= 1000;
    if (value < 99.95) return Format("%.1f ", value) + unit;
    if (value < 999.5) return Format("%.0f ", value) + unit;
  }
  return Format("%.0f EB", value);
}

std::string FormatCount(int64_t count) {
  std::string digits = std::to_string(count);
  const int first = count < 0 ? 1 : 0;
  for (int at = static_cast<int>(digits.size()) - 3; at > first; at -= 3) digits.insert(static_cast<size_t>(at), ",");
  return digits;
}

}  // namespace quern
