#include "base/thread_pool.h"

#include <immintrin.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace quern {
namespace {

thread_local ThreadPool* current_pool = nullptr;
thread_local bool inside_parallel_for = false;

// Kernels follow each other within microseconds, so a worker spins this long before it sleeps.
constexpr int kSpins = 4000;

int AvailableCores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

std::unique_ptr<ThreadPool>& DefaultPool() {
  // Leaked: kernels may run while static objects are being destroyed.
  static auto* pool = new std::unique_ptr<ThreadPool>(new ThreadPool(AvailableCores()));
  return *pool;
}

}  // namespace

struct ThreadPool::Impl {
  struct Task {
    int64_t n = 0;
    int parts = 0;
    void (*body)(void*, int64_t, int64_t) = nullptr;
    void* context = nullptr;
  };

  std::mutex run_mutex;  // one ParallelFor at a time per pool
  std::mutex mutex;
  std::condition_variable wake;
  std::atomic<uint64_t> generation{0};
  std::atomic<int> pending{0};
  std::atomic<bool> stop{false};
  Task task;
  std::vector<std::thread> workers;

  static void RunPart(const Task& task, int part) {
    int64_t begin = task.n * part / task.parts, end = task.n * (part + 1) / task.parts;
    inside_parallel_for = true;
    if (begin < end) task.body(task.context, begin, end);
    inside_parallel_for = false;
  }

  void WorkerLoop(int index) {
    uint64_t seen = 0;
    while (true) {
      for (int i = 0; i < kSpins && generation.load(std::memory_order_acquire) == seen; ++i) _mm_pause();
      if (generation.load(std::memory_order_acquire) == seen) {
        std::unique_lock<std::mutex> lock(mutex);
        wake.wait(lock, [&] { return generation.load(std::memory_order_acquire) != seen; });
      }
      seen = generation.load(std::memory_order_acquire);
      if (stop.load()) return;
      if (index < task.parts) RunPart(task, index);
      pending.fetch_sub(1, std::memory_order_acq_rel);
    }
  }
};

ThreadPool::ThreadPool(int threads) : threads_(std::max(1, threads)), impl_(new Impl) {
  for (int i = 1; i < threads_; ++i) impl_->workers.emplace_back([this, i] { impl_->WorkerLoop(i); });
}

ThreadPool::~ThreadPool() {
  impl_->stop = true;
  {
    std::lock_guard<std::mutex> lock(impl_->mutex);
    impl_->generation.fetch_add(1, std::memory_order_acq_rel);
  }
  impl_->wake.notify_all();
  for (std::thread& worker : impl_->workers) worker.join();
}

void ThreadPool::Run(int64_t n, int64_t grain, void (*body)(void*, int64_t, int64_t), void* context) {
  if (n <= 0) return;
  int parts = static_cast<int>(std::min<int64_t>(threads_, n / std::max<int64_t>(1, grain)));
  if (parts <= 1 || inside_parallel_for) {
    body(context, 0, n);
    return;
  }
  std::lock_guard<std::mutex> run_lock(impl_->run_mutex);
  impl_->task = {n, parts, body, context};
  impl_->pending.store(threads_ - 1, std::memory_order_relaxed);
  {
    std::lock_guard<std::mutex> lock(impl_->mutex);
    impl_->generation.fetch_add(1, std::memory_order_acq_rel);
  }
  impl_->wake.notify_all();
  Impl::RunPart(impl_->task, 0);
  for (int spins = 0; impl_->pending.load(std::memory_order_acquire) != 0; ++spins) {
    if (spins < kSpins) {
      _mm_pause();
    } else {
      std::this_thread::yield();
    }
  }
}

ThreadPool& ThreadPool::Current() { return current_pool != nullptr ? *current_pool : *DefaultPool(); }

void ThreadPool::SetDefaultThreads(int threads) {
  int wanted = threads > 0 ? threads : AvailableCores();
  if (DefaultPool()->threads() != wanted) DefaultPool() = std::make_unique<ThreadPool>(wanted);
}

ScopedThreadPool::ScopedThreadPool(ThreadPool& pool) : previous_(current_pool) { current_pool = &pool; }
ScopedThreadPool::~ScopedThreadPool() { current_pool = previous_; }

}  // namespace quern
