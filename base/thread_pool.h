// One pool for the process: `threads - 1` workers and the caller.
//
// ParallelFor cuts [0, n) statically into one contiguous part per thread; results may never depend on that cut, so work
// whose order matters (reductions across rows) is cut by the problem's size before it gets here. Nested calls run
// serially. Threads-as-ranks give each rank thread a pool of its own with ScopedThreadPool.
#ifndef QUERN_BASE_THREAD_POOL_H_
#define QUERN_BASE_THREAD_POOL_H_

#include <cstdint>
#include <memory>

namespace quern {

class ThreadPool {
 public:
  // `threads` >= 1 counts the caller; threads - 1 workers are started.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return threads_; }

  // Calls body(context, begin, end) on disjoint parts that cover [0, n). Returns when all are done.
  // `grain` is the least number of items worth a thread of its own.
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
