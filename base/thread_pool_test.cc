#include "base/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace quern {
namespace {

using Cut = std::vector<std::pair<int64_t, int64_t>>;

// The parts that a run is cut into, sorted.
Cut CutOf(int64_t n, int64_t grain) {
  std::mutex mutex;
  Cut parts;
  ParallelFor(n, grain, [&](int64_t begin, int64_t end) {
    std::lock_guard<std::mutex> lock(mutex);
    parts.emplace_back(begin, end);
  });
  std::sort(parts.begin(), parts.end());
  return parts;
}

TEST(ThreadPoolTest, PartsCoverTheRangeOnceAndAlwaysTheSame) {
  for (int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    ScopedThreadPool scope(pool);
    for (int64_t n : {int64_t{1}, int64_t{2}, int64_t{7}, int64_t{64}, int64_t{1001}}) {
      for (int64_t grain : {1, 4, 100}) {
        const Cut cut = CutOf(n, grain);
        int64_t next = 0;
        for (const auto& part : cut) {
          EXPECT_EQ(part.first, next);
          EXPECT_GT(part.second, part.first);
          EXPECT_TRUE(cut.size() == 1 || part.second - part.first >= grain);
          next = part.second;
        }
        EXPECT_EQ(next, n);
        EXPECT_LE(cut.size(), static_cast<size_t>(threads));
        for (int repeat = 0; repeat < 20; ++repeat) ASSERT_EQ(CutOf(n, grain), cut) << threads << " " << n;
      }
    }
  }
}

TEST(ThreadPoolTest, NothingToDo) {
  ThreadPool pool(2);
  ScopedThreadPool scope(pool);
  for (int64_t n : {0, -3}) ParallelFor(n, 1, [](int64_t, int64_t) { FAIL(); });
  EXPECT_EQ(CutOf(3, 0), CutOf(3, 1)) << "grain 0 counts as 1";
}

TEST(ThreadPoolTest, OneThreadRunsInTheCaller) {
  ThreadPool pool(1);
  ScopedThreadPool scope(pool);
  std::thread::id ran;
  ParallelFor(1000, 1, [&](int64_t begin, int64_t end) {
    EXPECT_EQ(begin, 0);
    EXPECT_EQ(end, 1000);
    ran = std::this_thread::get_id();
  });
  EXPECT_EQ(ran, std::this_thread::get_id());
  EXPECT_EQ(ThreadPool(0).threads(), 1);
}

TEST(ThreadPoolTest, ManySmallRunsLoseNothing) {
  ThreadPool pool(4);
  ScopedThreadPool scope(pool);
  std::vector<int64_t> counts(64, 0);
  constexpr int kRuns = 20'000;
  for (int run = 0; run < kRuns; ++run) {
    ParallelFor(static_cast<int64_t>(counts.size()), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) ++counts[static_cast<size_t>(i)];
    });
  }
  for (int64_t count : counts) ASSERT_EQ(count, kRuns);
}

TEST(ThreadPoolTest, SleepingWorkersWakeUp) {
  ThreadPool pool(3);
  ScopedThreadPool scope(pool);
  for (int run = 0; run < 20; ++run) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // longer than workers spin
    EXPECT_EQ(CutOf(300, 1).size(), 3u);
  }
}

TEST(ThreadPoolTest, NestedCallsRunSerially) {
  ThreadPool pool(3), other(3);
  ScopedThreadPool scope(pool);
  std::atomic<int64_t> sum{0};
  ParallelFor(30, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const std::thread::id outer = std::this_thread::get_id();
      auto inner = [&](int64_t b, int64_t e) {
        EXPECT_EQ(std::this_thread::get_id(), outer);
        EXPECT_EQ(e - b, 100);
        sum += e - b;
      };
      ParallelFor(100, 1, inner);
      ScopedThreadPool nested(other);
      ParallelFor(100, 1, inner);
    }
  });
  EXPECT_EQ(sum, 6000);
  EXPECT_EQ(CutOf(30, 1).size(), 3u) << "after a nested call the outer level is parallel again";
}

TEST(ThreadPoolTest, ScopesAreOfTheThread) {
  ThreadPool outer(2), inner(3);
  ThreadPool* before = &ThreadPool::Current();
  {
    ScopedThreadPool outer_scope(outer);
    EXPECT_EQ(&ThreadPool::Current(), &outer);
    {
      ScopedThreadPool inner_scope(inner);
      EXPECT_EQ(&ThreadPool::Current(), &inner);
      std::thread([&] { EXPECT_EQ(&ThreadPool::Current(), before); }).join();
    }
    EXPECT_EQ(&ThreadPool::Current(), &outer);
  }
  EXPECT_EQ(&ThreadPool::Current(), before);
}

TEST(ThreadPoolTest, ThreadsAsRanksEachWithItsPool) {
  std::vector<std::thread> ranks;
  std::vector<int64_t> sums(4, 0);
  for (size_t rank = 0; rank < sums.size(); ++rank) {
    ranks.emplace_back([&, rank] {
      ThreadPool pool(2);
      ScopedThreadPool scope(pool);
      std::vector<int64_t> values(100, 0);
      for (int run = 0; run < 500; ++run) {
        ParallelFor(100, 1, [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) values[static_cast<size_t>(i)] += i;
        });
      }
      for (int64_t value : values) sums[rank] += value;
    });
  }
  for (std::thread& rank : ranks) rank.join();
  for (int64_t sum : sums) EXPECT_EQ(sum, 500 * 4950);
}

TEST(ThreadPoolTest, ThreadsMayShareAPool) {
  ThreadPool pool(3);
  std::atomic<int64_t> total{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 3; ++caller) {
    callers.emplace_back([&] {
      ScopedThreadPool scope(pool);
      for (int run = 0; run < 500; ++run) {
        ParallelFor(30, 1, [&](int64_t begin, int64_t end) { total += end - begin; });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(total, 3 * 500 * 30);
}

TEST(ThreadPoolTest, DefaultThreads) {
  ThreadPool::SetDefaultThreads(3);
  EXPECT_EQ(ThreadPool::Current().threads(), 3);
  EXPECT_EQ(CutOf(9, 1), (Cut{{0, 3}, {3, 6}, {6, 9}}));
  ThreadPool::SetDefaultThreads(0);
  EXPECT_GE(ThreadPool::Current().threads(), 1);
}

}  // namespace
}  // namespace quern
