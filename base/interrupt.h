// SIGINT and SIGTERM: the first sets a flag that long work polls between steps; the second exits at once with 130 or
// 143.
#ifndef QUERN_BASE_INTERRUPT_H_
#define QUERN_BASE_INTERRUPT_H_

namespace quern {

// Installs the handlers. Also ignores SIGPIPE and SIGXFSZ, so that a closed pipe or a size limit is an error of the
// write. Blocking system calls return with EINTR. Call once, in main.
void InstallInterruptHandlers();
// The signal that arrived, or 0.
int InterruptSignal();
inline bool Interrupted() { return InterruptSignal() != 0; }
// 130 after SIGINT, 143 after SIGTERM, 0 when nothing arrived.
int InterruptExitStatus();
// Takes a SIGINT back: Ctrl-C ended an answer, and the conversation goes on. False, and nothing changes, where it was
// SIGTERM that arrived, or nothing.
bool TakeBackSigint();
// For tests: as if `signal` had arrived (0 clears).
void SimulateInterrupt(int signal);

}  // namespace quern

#endif  // QUERN_BASE_INTERRUPT_H_
