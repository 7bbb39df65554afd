// One pool for the process: `threads - 1` workers and the caller.
//
// ParallelFor cuts [0, n) into one contiguous share per thread, always the same, so that a thread finds in its cache
// what it left there. A thread works through its own share in pieces and then helps with what the others have left: on
// a machine with neighbours, cores are seldom equally fast. Results may never depend on that cut, so work whose order
// matters (reductions across rows) is cut by the problem's size before it gets here. Nested calls run serially.
// Threads-as-ranks give each rank thread a pool of its own with ScopedThreadPool.
#ifndef QUERN_BASE_THREAD_POOL_H_
#define QUERN_BASE_THREAD_POOL_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace quern {

// [0, n) in contiguous shares, one per part, to be taken piece by piece: first the part's own, from the front, then
// what the others have left, from the back. Every index is taken once; any thread may take for any part.
class WorkShares {
 public:
  explicit WorkShares(int most_parts) : left_(static_cast<size_t>(most_parts)) {}

  // Shares anew, for 1 to most_parts parts; not while somebody takes. Pieces have at least `grain` >= 1 items, where
  // their share has as many, and at most `most` >= grain.
  void Cut(int64_t n, int parts, int64_t grain, int64_t most);

  // The next piece for `part`: [begin, end). False once nothing is left.
  bool Take(int part, int64_t* begin, int64_t* end);

 private:
  // What is left of a share, begin << 32 | end in units of 2^shift_ items. A cache line each.
  struct alignas(64) Left {
    std::atomic<uint64_t> range{0};
  };

  bool TakeFrom(Left& share, bool front, int64_t* begin, int64_t* end);

  std::vector<Left> left_;
  int64_t n_ = 0;
  int parts_ = 0, shift_ = 0;
  uint64_t grain_ = 1, most_ = 1;  // in units
};

class ThreadPool {
 public:
  // `threads` >= 1 counts the caller; threads - 1 workers are started.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return threads_; }

  // Calls body(context, begin, end) on disjoint pieces that cover [0, n). Returns when all are done. A thread may get
  // any number of pieces. `grain` is the least number of items worth a thread of its own, and the least piece.
  void Run(int64_t n, int64_t grain, void (*body)(void* context, int64_t begin, int64_t end), void* context);

  // The pool of the calling thread: the innermost ScopedThreadPool, else the process's default.
  static ThreadPool& Current();
  // Replaces the process's default pool. Not while it is in use. `threads` 0 means one per available core.
  static void SetDefaultThreads(int threads);

 private:
  struct Impl;
  int threads_;
  std::unique_ptr<Impl> impl_;
};

// The calling thread uses `pool` until this goes out of scope.
class ScopedThreadPool {
 public:
  explicit ScopedThreadPool(ThreadPool& pool);
  ~ScopedThreadPool();
  ScopedThreadPool(const ScopedThreadPool&) = delete;
  ScopedThreadPool& operator=(const ScopedThreadPool&) = delete;

 private:
  ThreadPool* previous_;
};

// ParallelFor(rows, /*grain=*/16, [&](int64_t begin, int64_t end) { ... });
template <typename Body>
void ParallelFor(int64_t n, int64_t grain, const Body& body) {
  ThreadPool::Current().Run(
      n, grain, [](void* context, int64_t begin, int64_t end) { (*static_cast<const Body*>(context))(begin, end); },
      const_cast<void*>(static_cast<const void*>(&body)));
}

}  // namespace quern

#endif  // QUERN_BASE_THREAD_POOL_H_
