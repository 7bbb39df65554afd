#include "base/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/testing.h"
#include "gtest/gtest.h"

namespace quern {
namespace {

using Pieces = std::vector<std::pair<int64_t, int64_t>>;

// The pieces that a run is cut into, sorted.
Pieces PiecesOf(int64_t n, int64_t grain) {
  std::mutex mutex;
  Pieces pieces;
  ParallelFor(n, grain, [&](int64_t begin, int64_t end) {
    std::lock_guard<std::mutex> lock(mutex);
    pieces.emplace_back(begin, end);
  });
  std::sort(pieces.begin(), pieces.end());
  return pieces;
}

// What a part takes until nothing is left.
Pieces TakeAll(WorkShares& shares, int part) {
  Pieces pieces;
  for (int64_t begin, end; shares.Take(part, &begin, &end);) pieces.emplace_back(begin, end);
  return pieces;
}

// The pieces cover [0, n) once, and none is smaller than the grain where there are two or more.
void ExpectCover(Pieces pieces, int64_t n, int64_t grain) {
  std::sort(pieces.begin(), pieces.end());
  int64_t next = 0;
  for (const auto& piece : pieces) {
    EXPECT_EQ(piece.first, next);
    EXPECT_GT(piece.second, piece.first);
    EXPECT_TRUE(pieces.size() == 1 || piece.second - piece.first >= grain) << piece.first << " to " << piece.second;
    next = piece.second;
  }
  EXPECT_EQ(next, n);
}

// Whether so many threads run at the same time: each waits for the others.
bool AllRunAtOnce(int threads) {
  std::atomic<int> arrived{0};
  std::atomic<bool> all{true};
  ParallelFor(threads, 1, [&](int64_t begin, int64_t end) {
    arrived += static_cast<int>(end - begin);
    if (!Eventually([&] { return arrived == threads; })) all = false;
    if (end - begin != 1) all = false;
  });
  return all;
}

TEST(WorkSharesTest, APartTakesItsOwnShareFromTheFrontAndThenTheOthersFromTheBack) {
  WorkShares shares(2);
  shares.Cut(64, 2, 4, 64);
  EXPECT_EQ(TakeAll(shares, 0),
            (Pieces{{0, 16}, {16, 24}, {24, 28}, {28, 32}, {48, 64}, {40, 48}, {36, 40}, {32, 36}}));
  EXPECT_EQ(TakeAll(shares, 1), Pieces());
  shares.Cut(20, 2, 1, 3);
  EXPECT_EQ(TakeAll(shares, 1),
            (Pieces{{10, 13}, {13, 16}, {16, 18}, {18, 19}, {19, 20}, {7, 10}, {4, 7}, {2, 4}, {1, 2}, {0, 1}}));
}

TEST(WorkSharesTest, PiecesCoverTheRangeOnce) {
  for (int parts : {1, 2, 3, 8}) {
    WorkShares shares(8);
    for (int64_t n : {int64_t{8}, int64_t{64}, int64_t{1001}, int64_t{1} << 33, (int64_t{1} << 40) + 77}) {
      for (int64_t grain : {int64_t{1}, int64_t{3}, int64_t{12}}) {
        for (int64_t most : {grain, 7 * grain, n}) {
          if (n / most > 10'000) continue;
          SCOPED_TRACE(std::to_string(n) + " by " + std::to_string(parts) + ", " + std::to_string(grain));
          shares.Cut(n, parts, grain, most);
          Pieces all;
          for (int part = parts - 1; part >= 0; --part) {
            const Pieces taken = TakeAll(shares, part);
            all.insert(all.end(), taken.begin(), taken.end());
          }
          ExpectCover(all, n, /*grain=*/1);
        }
      }
    }
  }
}

TEST(WorkSharesTest, ThreadsTakeEverythingOnce) {
  constexpr int kThreads = 4;
  constexpr int64_t kItems = 3000;
  for (int round = 0; round < 50; ++round) {
    WorkShares shares(kThreads);
    shares.Cut(kItems, kThreads, 1, 5);
    std::vector<Pieces> taken(kThreads);
    std::vector<std::thread> threads;
    for (int part = 0; part < kThreads; ++part) {
      threads.emplace_back([&, part] { taken[static_cast<size_t>(part)] = TakeAll(shares, part); });
    }
    for (std::thread& thread : threads) thread.join();
    Pieces all;
    for (const Pieces& some : taken) all.insert(all.end(), some.begin(), some.end());
    ExpectCover(all, kItems, 1);
  }
}

TEST(ThreadPoolTest, PiecesCoverTheRangeOnce) {
  for (int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    ScopedThreadPool scope(pool);
    for (int64_t n : {int64_t{1}, int64_t{2}, int64_t{7}, int64_t{64}, int64_t{1001}}) {
      for (int64_t grain : {1, 4, 100}) {
        for (int repeat = 0; repeat < 20; ++repeat) ExpectCover(PiecesOf(n, grain), n, grain);
      }
    }
  }
}

TEST(ThreadPoolTest, TheOthersDoWhatASlowThreadHasLeft) {
  ThreadPool pool(3);
  ScopedThreadPool scope(pool);
  constexpr int64_t kItems = 3000;
  std::atomic<int64_t> done{0};
  bool others_went_on = false;
  ParallelFor(kItems, 1, [&](int64_t begin, int64_t end) {
    // Whoever gets the first piece of the first share stands still until all else is done.
    if (begin == 0) others_went_on = Eventually([&] { return done == kItems - (end - begin); });
    done += end - begin;
  });
  EXPECT_TRUE(others_went_on);
  EXPECT_EQ(done, kItems);
}

TEST(ThreadPoolTest, NothingToDo) {
  ThreadPool pool(2);
  ScopedThreadPool scope(pool);
  for (int64_t n : {0, -3}) ParallelFor(n, 1, [](int64_t, int64_t) { FAIL(); });
  EXPECT_EQ(PiecesOf(3, 0), PiecesOf(3, 1)) << "grain 0 counts as 1";
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
    EXPECT_TRUE(AllRunAtOnce(3));
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
  EXPECT_TRUE(AllRunAtOnce(3)) << "after a nested call the outer level is parallel again";
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
  EXPECT_TRUE(AllRunAtOnce(3));
  ThreadPool::SetDefaultThreads(0);
  EXPECT_GE(ThreadPool::Current().threads(), 1);
}

}  // namespace
}  // namespace quern
