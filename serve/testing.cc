#include "serve/testing.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"

namespace quern {

struct FakeEngine::Job {
  EngineRequestId id = 0;
  EngineRequest request;
  EngineUpdateFn update;
  EngineTimes times;
  int32_t tokens = 0, max_new_tokens = 1;
  bool cancelled = false, ended = false;
};

FakeEngine::FakeEngine(const FakeEngineOptions& options) : options_(options), thread_([this] { Loop(); }) {}

void FakeEngine::Shutdown() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (std::exchange(stop_, true)) return;
  }
  changed_.notify_all();
  thread_.join();
  for (auto& item : jobs_) End(*item.second, absl::CancelledError("the server is shutting down"), "");
  jobs_.clear();
}

absl::StatusOr<EngineRequestId> FakeEngine::Submit(EngineRequest request, EngineUpdateFn update) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (stop_) return absl::CancelledError("the server is shutting down");
  if (request.probe) ++probes_;
  if (!request.probe && Requests() >= options_.max_running + options_.max_queue) {
    return absl::ResourceExhaustedError("full");
  }
  auto job = std::make_shared<Job>();
  job->id = next_id_++;
  job->times.submitted = MonotonicSeconds();
  job->max_new_tokens = request.probe ? 1 : request.max_new_tokens.value_or(request.default_max_new_tokens);
  job->request = std::move(request);
  job->update = std::move(update);
  jobs_[job->id] = job;
  changed_.notify_all();
  return job->id;
}

void FakeEngine::Cancel(EngineRequestId id) {
  std::lock_guard<std::mutex> lock(mutex_);
  auto it = jobs_.find(id);
  if (it != jobs_.end()) it->second->cancelled = true;
}

int64_t FakeEngine::Requests() const {
  return std::count_if(jobs_.begin(), jobs_.end(), [](const auto& item) { return !item.second->request.probe; });
}

EngineStats FakeEngine::stats() const {
  std::lock_guard<std::mutex> lock(mutex_);
  EngineStats stats;
  stats.running = std::min<int64_t>(Requests(), options_.max_running);
  stats.waiting = Requests() - stats.running;
  stats.cache_blocks_used = stats.running;
  stats.cache_blocks_total = options_.max_running;
  return stats;
}

void FakeEngine::Pause(bool paused) {
  std::lock_guard<std::mutex> lock(mutex_);
  paused_ = paused;
  changed_.notify_all();
}

int64_t FakeEngine::cancelled() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return cancelled_;
}

int64_t FakeEngine::cancelling() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return std::count_if(jobs_.begin(), jobs_.end(), [](const auto& item) { return item.second->cancelled; });
}

int64_t FakeEngine::probes() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return probes_;
}

void FakeEngine::Loop() {
  while (true) {
    std::vector<std::shared_ptr<Job>> batch;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [this] { return stop_ || (!paused_ && !jobs_.empty()); });
      if (stop_) return;
      for (auto& item : jobs_) {
        if (static_cast<int>(batch.size()) < options_.max_running || item.second->request.probe) {
          batch.push_back(item.second);
        }
      }
    }
    std::this_thread::sleep_for(std::chrono::duration<double>(options_.step_seconds));
    for (auto& job : batch) Step(*job);
    std::lock_guard<std::mutex> lock(mutex_);
    for (auto& job : batch) {
      if (job->ended) jobs_.erase(job->id);
    }
  }
}

void FakeEngine::Step(Job& job) {
  if (job.times.started == 0) job.times.started = MonotonicSeconds();
  bool cancelled = false;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    cancelled = job.cancelled;
    if (cancelled) ++cancelled_;
  }
  if (cancelled) return End(job, absl::CancelledError("cancelled"), "cancelled");
  if (job.request.prompt == "refuse") return End(job, absl::InvalidArgumentError("prompt: refused"), "", "prompt");
  if (job.request.prompt == "boom" && job.tokens == 2) return End(job, absl::InternalError("secret detail"), "");
  if (job.request.prompt == "silent") return;
  std::string text = absl::StrCat(job.tokens++, " ");
  EngineUpdate update;
  update.new_tokens = 1;
  update.time = MonotonicSeconds();
  if (job.times.first_token == 0) job.times.first_token = update.time;
  bool stopped = false;
  for (const std::string& stop : job.request.stop) stopped = stopped || text.find(stop) != std::string::npos;
  if (!stopped) update.text = text;
  job.update(std::move(update));
  if (stopped || job.tokens == job.max_new_tokens) End(job, absl::OkStatus(), stopped ? "stop" : "length");
}

void FakeEngine::End(Job& job, absl::Status status, const char* reason, const char* field) {
  job.ended = true;
  EngineUpdate update;
  update.finished = true;
  update.status = std::move(status);
  update.field = field;
  update.finish_reason = reason;
  update.time = job.times.finished = MonotonicSeconds();
  update.prompt_tokens = static_cast<int32_t>(job.request.prompt.size());
  update.completion_tokens = job.tokens;
  update.max_new_tokens = job.max_new_tokens;
  update.times = job.times;
  job.update(std::move(update));
}

}  // namespace quern
