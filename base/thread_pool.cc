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

uint64_t Pack(uint64_t first, uint64_t last) { return first << 32 | last; }

std::unique_ptr<ThreadPool>& DefaultPool() {
  // Leaked: kernels may run while static objects are being destroyed.
  static auto* pool = new std::unique_ptr<ThreadPool>(new ThreadPool(AvailableCores()));
  return *pool;
}

}  // namespace

void WorkShares::Cut(int64_t n, int parts, int64_t grain, int64_t most) {
  n_ = n;
  parts_ = parts;
  for (shift_ = 0; (n >> shift_) >= int64_t{1} << 31;) ++shift_;
  const int64_t units = ((n - 1) >> shift_) + 1;
  grain_ = static_cast<uint64_t>(((grain - 1) >> shift_) + 1);
  most_ = std::max(grain_, static_cast<uint64_t>(most >> shift_));
  for (int64_t part = 0; part < parts; ++part) {
    left_[static_cast<size_t>(part)].range.store(
        Pack(static_cast<uint64_t>(units * part / parts), static_cast<uint64_t>(units * (part + 1) / parts)),
        std::memory_order_relaxed);
  }
}

bool WorkShares::Take(int part, int64_t* begin, int64_t* end) {
  if (TakeFrom(left_[static_cast<size_t>(part)], /*front=*/true, begin, end)) return true;
  for (int i = 1; i < parts_; ++i) {
    if (TakeFrom(left_[static_cast<size_t>((part + i) % parts_)], /*front=*/false, begin, end)) return true;
  }
  return false;
}

// Relaxed: what a piece reads was there before the shares were cut, and who waits for its results waits for the thread.
bool WorkShares::TakeFrom(Left& share, bool front, int64_t* begin, int64_t* end) {
  uint64_t seen = share.range.load(std::memory_order_relaxed), first, last, taken, rest;
  do {
    first = seen >> 32;
    last = seen & 0xFFFFFFFF;
    const uint64_t size = last - first;
    if (size == 0) return false;
    // Half of what is left, so that pieces are few and the last ones, which others may have to wait for, small. Whole
    // grains, and never so much that less than a grain would stay.
    taken = std::min(most_, size < 2 * grain_ ? size : (size / grain_ + 1) / 2 * grain_);
    rest = front ? Pack(first + taken, last) : Pack(first, last - taken);
  } while (!share.range.compare_exchange_weak(seen, rest, std::memory_order_relaxed));
  if (!front) first = last - taken;
  *begin = static_cast<int64_t>(first) << shift_;
  *end = std::min(static_cast<int64_t>(first + taken) << shift_, n_);
  return true;
}

struct ThreadPool::Impl {
  // The state: the number of the run in the upper half, whether it may be joined, and how many workers have joined it.
  // A run that is over is closed: a worker that comes late finds nothing to do and makes nobody wait.
  static constexpr uint64_t kOpen = uint64_t{1} << 31, kJoined = kOpen - 1;
  static uint64_t RunOf(uint64_t state) { return state >> 32; }

  explicit Impl(int threads) : shares(threads) {}

  std::mutex run_mutex;  // one ParallelFor at a time per pool
  std::mutex mutex;
  std::condition_variable wake;
  std::atomic<uint64_t> state{0};
  std::atomic<bool> stop{false};
  // Written while no run is open and nobody has joined; read by those who have.
  WorkShares shares;
  int parts = 0;
  void (*body)(void*, int64_t, int64_t) = nullptr;
  void* context = nullptr;
  std::vector<std::thread> workers;

  void Work(int part) {
    int64_t begin, end;
    inside_parallel_for = true;
    while (part < parts && shares.Take(part, &begin, &end)) body(context, begin, end);
    inside_parallel_for = false;
  }

  bool Join(uint64_t run) {
    uint64_t seen = state.load(std::memory_order_relaxed);
    while (RunOf(seen) == run && (seen & kOpen) != 0) {
      if (state.compare_exchange_weak(seen, seen + 1, std::memory_order_acquire)) return true;
    }
    return false;
  }

  void WorkerLoop(int index) {
    uint64_t seen = 0;
    auto next = [&] { return RunOf(state.load(std::memory_order_acquire)) != seen; };
    while (true) {
      for (int i = 0; i < kSpins && !next(); ++i) _mm_pause();
      if (!next()) {
        std::unique_lock<std::mutex> lock(mutex);
        wake.wait(lock, next);
      }
      if (stop.load()) return;
      seen = RunOf(state.load(std::memory_order_acquire));
      if (!Join(seen)) continue;
      Work(index);
      state.fetch_sub(1, std::memory_order_release);
    }
  }

  // Starts the next run: what it reads has been written.
  void Open() {
    {
      std::lock_guard<std::mutex> lock(mutex);
      state.store((RunOf(state.load(std::memory_order_relaxed)) + 1) << 32 | kOpen, std::memory_order_release);
    }
    wake.notify_all();
  }

  // Returns when those who have joined are done.
  void Close() {
    state.fetch_and(~kOpen, std::memory_order_relaxed);
    for (int spins = 0; (state.load(std::memory_order_acquire) & kJoined) != 0; ++spins) {
      if (spins < kSpins) {
        _mm_pause();
      } else {
        std::this_thread::yield();
      }
    }
  }
};

ThreadPool::ThreadPool(int threads) : threads_(std::max(1, threads)), impl_(new Impl(threads_)) {
  for (int i = 1; i < threads_; ++i) impl_->workers.emplace_back([this, i] { impl_->WorkerLoop(i); });
}

ThreadPool::~ThreadPool() {
  impl_->stop = true;
  impl_->Open();
  for (std::thread& worker : impl_->workers) worker.join();
}

void ThreadPool::Run(int64_t n, int64_t grain, void (*body)(void*, int64_t, int64_t), void* context) {
  if (n <= 0) return;
  grain = std::max<int64_t>(1, grain);
  const int parts = static_cast<int>(std::min<int64_t>(threads_, n / grain));
  if (parts <= 1 || inside_parallel_for) {
    body(context, 0, n);
    return;
  }
  std::lock_guard<std::mutex> run_lock(impl_->run_mutex);
  impl_->shares.Cut(n, parts, grain, /*most=*/n);
  impl_->parts = parts;
  impl_->body = body;
  impl_->context = context;
  impl_->Open();
  impl_->Work(0);
  impl_->Close();
}

ThreadPool& ThreadPool::Current() { return current_pool != nullptr ? *current_pool : *DefaultPool(); }

void ThreadPool::SetDefaultThreads(int threads) {
  int wanted = threads > 0 ? threads : AvailableCores();
  if (DefaultPool()->threads() != wanted) DefaultPool() = std::make_unique<ThreadPool>(wanted);
}

ScopedThreadPool::ScopedThreadPool(ThreadPool& pool) : previous_(current_pool) { current_pool = &pool; }
ScopedThreadPool::~ScopedThreadPool() { current_pool = previous_; }

}  // namespace quern
