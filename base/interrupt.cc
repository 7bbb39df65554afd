#include "base/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>

namespace quern {
namespace {

std::atomic<int> arrived{0};
static_assert(std::atomic<int>::is_always_lock_free, "set from a signal handler");

extern "C" void OnSignal(int signal) {
  int none = 0;
  if (!arrived.compare_exchange_strong(none, signal)) _exit(128 + signal);
}

}  // namespace

void InstallInterruptHandlers() {
  struct sigaction action = {};
  action.sa_handler = OnSignal;
  sigemptyset(&action.sa_mask);
  // No SA_RESTART: a blocking read (the chat prompt) must return so that its loop can look at the flag.
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
}

int InterruptSignal() { return arrived.load(std::memory_order_relaxed); }

int InterruptExitStatus() {
  const int signal = InterruptSignal();
  return signal == 0 ? 0 : 128 + signal;
}

bool TakeBackSigint() {
  int arrived_signal = SIGINT;
  return arrived.compare_exchange_strong(arrived_signal, 0);
}

void SimulateInterrupt(int signal) { arrived = signal; }

}  // namespace quern
