#include "kernels/benchmark.h"

#include <regex.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <map>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/suggest.h"
#include "base/thread_pool.h"
#include "kernels/isa.h"

namespace quern {
namespace {

constexpr double kLeastSeconds = 0.3;
constexpr int kLeastRounds = 10;
// A call shorter than this is timed several at a time, so that the clock does not show.
constexpr double kBatchSeconds = 50e-6;
constexpr double kTolerance = 1.02;

struct Flags {
  bool json = false;
  std::string filter;
  int threads = 0;
  std::string isa = "auto";
};

// Null, or what is wrong.
std::optional<std::string> ParseFlags(int argc, char** argv, Flags* flags) {
  for (int i = 1; i < argc; ++i) {
    std::string name = argv[i], value;
    bool has_value = false;
    if (size_t equal = name.find('='); equal != std::string::npos) {
      value = name.substr(equal + 1);
      name.resize(equal);
      has_value = true;
    }
    if (name == "--json" && !has_value) {
      flags->json = true;
      continue;
    }
    if (name != "--filter" && name != "--threads" && name != "--isa") {
      return "unknown argument \"" + std::string(argv[i]) + "\"." +
             DidYouMean(name, {"--json", "--filter", "--threads", "--isa"});
    }
    if (!has_value) {
      if (i + 1 == argc) return name + " needs a value.";
      value = argv[++i];
    }
    if (name == "--filter") flags->filter = value;
    if (name == "--isa") flags->isa = value;
    if (name == "--threads") {
      auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), flags->threads);
      if (error != std::errc() || end != value.data() + value.size() || flags->threads < 1 || flags->threads > 1024) {
        return "--threads is a number from 1 to 1024; got \"" + value + "\".";
      }
    }
  }
  return std::nullopt;
}

// POSIX extended regular expression, matched anywhere in the case's name.
class Filter {
 public:
  explicit Filter(const std::string& pattern) : ok_(regcomp(&regex_, pattern.c_str(), REG_EXTENDED | REG_NOSUB) == 0) {}
  ~Filter() {
    if (ok_) regfree(&regex_);
  }
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;
  bool ok() const { return ok_; }
  bool Matches(const std::string& text) const { return regexec(&regex_, text.c_str(), 0, nullptr, 0) == 0; }

 private:
  regex_t regex_;
  bool ok_;
};

struct Timing {
  double min = 0, median = 0;
};

struct Contender {
  const std::function<void()>* run;
  int64_t batch = 1;
  std::vector<double> seconds;

  double Time() const {
    double start = MonotonicSeconds();
    for (int64_t i = 0; i < batch; ++i) (*run)();
    return (MonotonicSeconds() - start) / static_cast<double>(batch);
  }
  void WarmUp() {
    Time();
    for (double once = Time(); once * static_cast<double>(batch) < kBatchSeconds; once = Time()) batch *= 2;
  }
  Timing Result() {
    std::sort(seconds.begin(), seconds.end());
    size_t n = seconds.size();
    return {seconds[0], (seconds[(n - 1) / 2] + seconds[n / 2]) / 2};
  }
};

// The subject first, then the opponents; one batch of each in turn, so that a busy moment meets all alike.
std::vector<Timing> Interleave(const BenchmarkCase& c) {
  std::vector<Contender> contenders = {{&c.run, 1, {}}};
  for (const auto& opponent : c.opponents) contenders.push_back({&opponent.second, 1, {}});
  for (Contender& contender : contenders) contender.WarmUp();
  double start = MonotonicSeconds();
  for (int round = 0;
       round < kLeastRounds || MonotonicSeconds() - start < kLeastSeconds * static_cast<double>(contenders.size());
       ++round) {
    for (Contender& contender : contenders) contender.seconds.push_back(contender.Time());
  }
  std::vector<Timing> timings;
  for (Contender& contender : contenders) timings.push_back(contender.Result());
  return timings;
}

// Ceilings are lower bounds of what the machine can do, so the greatest measured so far counts.
class Ceilings {
 public:
  double Flops(DType dtype, bool again) {
    return Best(&flops_[static_cast<int>(dtype)], again, [&] { return MeasureFlopsCeiling(dtype); });
  }
  double Bandwidth(double footprint, bool again) {
    return Best(&bandwidth_[footprint], again, [&] { return MeasureBandwidthCeiling(footprint); });
  }
  double Read(double footprint, bool again) {
    return Best(&read_[footprint], again, [&] { return MeasureReadCeiling(footprint); });
  }

 private:
  template <typename Measure>
  static double Best(double* best, bool again, const Measure& measure) {
    if (*best == 0 || again) *best = std::max(*best, measure());
    return *best;
  }
  std::map<int, double> flops_;
  std::map<double, double> bandwidth_, read_;
};

struct Row {
  const BenchmarkCase* c;
  std::vector<Timing> timings;
  bool bound_by_flops = false;
  double rate = 0, share = 0;
};

// The least time that moving the case's bytes takes.
double SecondsForBytes(const BenchmarkCase& c, Ceilings& ceilings, bool again) {
  if (c.bytes <= 0) return 0;
  const double footprint = c.footprint > 0 ? c.footprint : c.bytes;
  const double all = c.bytes / ceilings.Bandwidth(footprint, again);
  return c.written < 0 ? all : std::max(all, (c.bytes - c.written) / ceilings.Read(footprint, again));
}

void Judge(Ceilings& ceilings, bool again, Row* row) {
  const BenchmarkCase& c = *row->c;
  const double by_flops = c.flops > 0 ? c.flops / ceilings.Flops(c.dtype, again) : 0;
  const double by_bytes = SecondsForBytes(c, ceilings, again);
  row->bound_by_flops = by_flops >= by_bytes;
  row->rate = (row->bound_by_flops ? c.flops : c.bytes) / row->timings[0].min;
  row->share = std::max(by_flops, by_bytes) / row->timings[0].min;
}

Row Measure(const BenchmarkCase& c, Ceilings& ceilings) {
  CHECK(c.flops > 0 || c.bytes > 0) << "Benchmark: case " << c.name << " names neither flops nor bytes";
  Row row{&c, Interleave(c)};
  // Before a share is called impossible, the machine gets some more chances to show what it can do.
  for (int attempt = 0; attempt < 12; ++attempt) {
    Judge(ceilings, attempt > 0, &row);
    if (row.share <= 1.0) break;
  }
  return row;
}

void PrintJson(const std::string& kernel, const Row& row) {
  const BenchmarkCase& c = *row.c;
  Json opponents = Json::object();
  for (size_t i = 0; i < c.opponents.size(); ++i)
    opponents[c.opponents[i].first] = row.timings[i + 1].min / row.timings[0].min;
  Json line = {{"kernel", kernel},
               {"case", c.name},
               {"dtype", std::string(Name(c.dtype))},
               {"isa", std::string(Name(CurrentIsa()))},
               {"threads", ThreadPool::Current().threads()},
               {"seconds", {{"min", row.timings[0].min}, {"median", row.timings[0].median}}},
               {row.bound_by_flops ? "flops_per_second" : "bytes_per_second", row.rate},
               {"share_of_ceiling", row.share},
               {"opponents", opponents}};
  std::printf("%s\n", WriteJsonLine(line).c_str());
}

void PrintTable(const Row& row) {
  const BenchmarkCase& c = *row.c;
  std::printf("%-32s %-5s %12.3f %12.3f %10.2f %s %7.1f %%", c.name.c_str(), std::string(Name(c.dtype)).c_str(),
              row.timings[0].min * 1e6, row.timings[0].median * 1e6, row.rate / 1e9,
              row.bound_by_flops ? "GFLOP/s" : "GB/s   ", row.share * 100);
  for (size_t i = 0; i < c.opponents.size(); ++i) {
    std::printf("  %s %.2fx", c.opponents[i].first.c_str(), row.timings[i + 1].min / row.timings[0].min);
  }
  std::printf("\n");
}

int Refuse(const std::string& kernel, const std::string& what) {
  std::fprintf(stderr, "%s_benchmark: %s\nusage: %s_benchmark [--json] [--filter RE] [--threads N] [--isa ISA]\n",
               kernel.c_str(), what.c_str(), kernel.c_str());
  return 2;
}

}  // namespace

int BenchmarkMain(int argc, char** argv, const std::string& kernel,
                  const std::function<std::vector<BenchmarkCase>()>& make_cases) {
  Flags flags;
  if (auto wrong = ParseFlags(argc, argv, &flags)) return Refuse(kernel, *wrong);
  absl::StatusOr<Isa> isa = ParseIsa(flags.isa);
  if (!isa.ok()) return Refuse(kernel, std::string(isa.status().message()));
  Filter filter(flags.filter);
  if (!filter.ok()) return Refuse(kernel, "--filter is no regular expression: \"" + flags.filter + "\".");
  SetIsa(*isa);
  ThreadPool::SetDefaultThreads(flags.threads);

  Ceilings ceilings;
  int shown = 0;
  bool plausible = true;
  if (!flags.json) {
    std::printf("%s: %s, %d threads; times in microseconds\n", kernel.c_str(), std::string(Name(*isa)).c_str(),
                ThreadPool::Current().threads());
    std::printf("%-32s %-5s %12s %12s %10s         %9s  %s\n", "case", "dtype", "min", "median", "rate", "ceiling",
                "opponent's time to ours");
  }
  std::vector<BenchmarkCase> cases = make_cases();
  for (BenchmarkCase& listed : cases) {
    BenchmarkCase c = std::move(listed);
    if (!filter.Matches(c.name)) continue;
    ++shown;
    if (c.prepare) c.prepare(c);
    Row row = Measure(c, ceilings);
    flags.json ? PrintJson(kernel, row) : PrintTable(row);
    std::fflush(stdout);
    if (row.share <= kTolerance) continue;
    plausible = false;
    std::fprintf(
        stderr,
        "%s_benchmark: %s reaches %.3f of its ceiling: flops, bytes or footprint are miscounted, or the ceiling "
        "was measured on a busy machine.\n",
        kernel.c_str(), c.name.c_str(), row.share);
  }
  if (shown == 0) return Refuse(kernel, "--filter \"" + flags.filter + "\" matches no case.");
  return plausible ? 0 : 1;
}

}  // namespace quern
