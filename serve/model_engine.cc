#include "serve/model_engine.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/thread_pool.h"
#include "nn/decode/decoder.h"
#include "nn/decode/kv_cache.h"
#include "serve/answer_text.h"

namespace quern {
namespace {

constexpr int64_t kDefaultCacheBytes = int64_t{1} << 30;
constexpr int64_t kLeastContexts = 8;

struct Job {
  EngineRequestId id = 0;
  EngineRequest request;
  EngineUpdateFn update;
  std::vector<int32_t> prompt;
  int32_t max_new_tokens = 0, completion_tokens = 0;
  EngineTimes times;
  std::unique_ptr<AnswerText> text;
  std::atomic<bool> cancelled{false};

  void GiveToken(double now, const DecodeOutput& output) {
    ++completion_tokens;
    if (times.first_token == 0) times.first_token = now;
    EngineUpdate next;
    next.text = text->Take();
    next.new_tokens = 1;
    next.token = output.token;
    next.logprob = output.logprob;
    next.time = now;
    update(std::move(next));
  }

  // The last update.
  void Finish(absl::Status status, FinishReason reason = FinishReason::kNone, std::string field = "") {
    EngineUpdate last;
    last.time = times.finished = MonotonicSeconds();
    last.finished = true;
    last.status = std::move(status);
    last.field = std::move(field);
    last.finish_reason = std::string(Name(reason));
    last.prompt_tokens = static_cast<int32_t>(prompt.size());
    last.completion_tokens = completion_tokens;
    last.max_new_tokens = max_new_tokens;
    last.times = times;
    if (text != nullptr && last.status.ok()) {
      text->Finish();
      last.text = text->Take();
    }
    update(std::move(last));
  }
};
using JobPtr = std::shared_ptr<Job>;

absl::Status ShuttingDown() { return absl::CancelledError("the server is shutting down"); }
absl::Status WasCancelled() { return absl::CancelledError("cancelled"); }

class Impl final : public ModelEngine {
 public:
  Impl(std::unique_ptr<LanguageModel> model, Tokenizer tokenizer, const ModelEngineOptions& options,
       std::unique_ptr<Decoder> decoder)
      : model_(std::move(model)),
        tokenizer_(std::move(tokenizer)),
        options_(options),
        decoder_(std::move(decoder)),
        encode_thread_([this] { EncodeLoop(); }),
        step_thread_([this] { StepLoop(); }) {}

  ~Impl() override { Shutdown(); }

  void Shutdown() override {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (std::exchange(stop_, true)) return;
    }
    changed_.notify_all();
    encode_thread_.join();
    step_thread_.join();
    for (auto* queue : {&arrived_, &ready_, &probes_}) {
      for (const JobPtr& job : *queue) job->Finish(ShuttingDown());
      queue->clear();
    }
    for (const auto& item : running_) item.second->Finish(ShuttingDown());
    running_.clear();
  }

  absl::StatusOr<EngineRequestId> Submit(EngineRequest request, EngineUpdateFn update) override {
    auto job = std::make_shared<Job>();
    const bool probe = request.probe;
    job->request = std::move(request);
    job->update = std::move(update);
    job->times.submitted = MonotonicSeconds();
    std::lock_guard<std::mutex> lock(mutex_);
    if (stop_) return ShuttingDown();
    if (!probe && waiting_ >= options_.max_queue) {
      return absl::ResourceExhaustedError(absl::StrCat(waiting_, " requests are waiting already."));
    }
    job->id = next_id_++;
    jobs_[job->id] = job;
    if (probe) {
      const int32_t bos = model_->bos_token_id();
      job->prompt = {bos >= 0 && bos < model_->vocab_size() ? bos : 0};
      job->max_new_tokens = 1;
      probes_.push_back(job);
    } else {
      ++waiting_;
      arrived_.push_back(job);
    }
    changed_.notify_all();
    return job->id;
  }

  void Cancel(EngineRequestId id) override {
    std::lock_guard<std::mutex> lock(mutex_);
    auto it = jobs_.find(id);
    if (it == jobs_.end()) return;
    it->second->cancelled = true;
    any_cancelled_ = true;
    changed_.notify_all();
  }

  EngineStats stats() const override {
    std::lock_guard<std::mutex> lock(mutex_);
    EngineStats stats = stats_;
    stats.waiting = waiting_;
    stats.seconds_since_step = MonotonicSeconds() - last_beat_;
    return stats;
  }

  void Pause(bool paused) override {
    std::lock_guard<std::mutex> lock(mutex_);
    paused_ = paused;
    changed_.notify_all();
  }

 private:
  using Lock = std::unique_lock<std::mutex>;

  // ---- The encoding thread: from arrived_ to ready_.

  void EncodeLoop() {
    ThreadPool alone(1);  // the cores belong to the decoding
    ScopedThreadPool scope(alone);
    while (JobPtr job = NextArrived()) {
      Refusal refusal;
      if (!job->cancelled) refusal = Encode(*job);
      {
        std::lock_guard<std::mutex> lock(mutex_);
        if (refusal.message.empty() && !job->cancelled) {
          ready_.push_back(std::move(job));
          changed_.notify_all();
          continue;
        }
        --waiting_;
        jobs_.erase(job->id);
      }
      // Told last: whoever hears that a request has ended finds it gone from the counts.
      if (job->cancelled) {
        job->Finish(WasCancelled());
      } else {
        job->Finish(absl::InvalidArgumentError(refusal.message), FinishReason::kNone, std::move(refusal.field));
      }
    }
  }

  JobPtr NextArrived() {
    Lock lock(mutex_);
    changed_.wait(lock, [this] { return stop_ || !arrived_.empty(); });
    if (stop_) return nullptr;
    JobPtr job = std::move(arrived_.front());
    arrived_.pop_front();
    return job;
  }

  // What is wrong with a request, and with which field; an empty message: nothing.
  struct Refusal {
    std::string field, message;
  };

  Refusal Encode(Job& job) {
    EncodeOptions encode;
    encode.add_bos = tokenizer_.adds_bos();
    absl::StatusOr<std::vector<int32_t>> ids = tokenizer_.Encode(job.request.prompt, encode);
    if (!ids.ok()) return {"prompt", std::string(ids.status().message())};
    if (ids->empty()) return {"prompt", "The prompt is empty, and this model needs something to go on."};
    const int64_t positions = model_->max_positions(), length = static_cast<int64_t>(ids->size());
    const int64_t room = positions - length;
    if (room < 1) {
      return {"prompt", absl::StrCat("The prompt is ", length, " tokens long; the model has ", positions,
                                     " positions for prompt and answer together.")};
    }
    if (job.request.max_new_tokens.value_or(1) > room) {
      return {"max_new_tokens",
              absl::StrCat("max_new_tokens is ", *job.request.max_new_tokens, "; behind this prompt of ", length,
                           " tokens there is room for ", room, ", as the model has ", positions, " positions.")};
    }
    const int64_t wanted = std::min<int64_t>(room, job.request.default_max_new_tokens);
    job.max_new_tokens = job.request.max_new_tokens.value_or(static_cast<int32_t>(wanted));
    job.prompt = std::move(*ids);
    return {};
  }

  // ---- The engine thread: from ready_ and probes_ to running_ and out.

  void StepLoop() {
    while (WaitForWork()) {
      DropCancelled();
      AdmitReady();
      if (!decoder_->idle()) Deliver(decoder_->Step());
      UpdateStats();
    }
  }

  // False at the end.
  bool WaitForWork() {
    Lock lock(mutex_);
    auto idle = [this] { return decoder_->idle() && ready_.empty() && probes_.empty() && !any_cancelled_; };
    while (!stop_ && (paused_ || idle())) {
      if (!paused_) last_beat_ = MonotonicSeconds();
      changed_.wait_for(lock, std::chrono::milliseconds(200));
    }
    last_beat_ = MonotonicSeconds();
    return !stop_;
  }

  void DropCancelled() {
    std::deque<JobPtr> dropped;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (!std::exchange(any_cancelled_, false)) return;
      auto kept =
          std::stable_partition(ready_.begin(), ready_.end(), [](const JobPtr& job) { return !job->cancelled; });
      dropped.assign(kept, ready_.end());
      ready_.erase(kept, ready_.end());
      waiting_ -= static_cast<int64_t>(dropped.size());
      for (const JobPtr& job : dropped) jobs_.erase(job->id);
    }
    for (const JobPtr& job : dropped) job->Finish(WasCancelled());
    for (const auto& item : running_) {
      if (item.second->cancelled) decoder_->Cancel(item.first);
    }
  }

  // In order: where the oldest does not fit, the others wait behind it.
  void AdmitReady() {
    while (JobPtr job = NextReady()) {
      absl::StatusOr<SequenceId> sequence = Admit(*job);
      const bool probe = job->request.probe;
      {
        std::lock_guard<std::mutex> lock(mutex_);
        if (absl::IsResourceExhausted(sequence.status()) && !running_.empty()) {
          (probe ? probes_ : ready_).push_front(std::move(job));
          return;
        }
        if (!probe) --waiting_;
        if (!sequence.ok()) jobs_.erase(job->id);
      }
      if (sequence.ok()) {
        running_[*sequence] = std::move(job);
      } else {
        job->Finish(sequence.status(), FinishReason::kNone, "prompt");
      }
    }
  }

  JobPtr NextReady() {
    std::lock_guard<std::mutex> lock(mutex_);
    const bool full = running_.size() >= static_cast<size_t>(options_.max_running);
    if (probes_.empty() && (full || ready_.empty())) return nullptr;
    std::deque<JobPtr>& queue = probes_.empty() ? ready_ : probes_;
    JobPtr job = std::move(queue.front());
    queue.pop_front();
    return job;
  }

  absl::StatusOr<SequenceId> Admit(Job& job) {
    if (!job.request.probe && !running_.empty() && !LeavesRoomForProbe(job)) {
      return absl::ResourceExhaustedError("the last free block of the cache is the probe's");
    }
    job.text = std::make_unique<AnswerText>(tokenizer_, job.request.stop, job.prompt);
    DecodeRequest request;
    request.prompt = job.prompt;
    request.max_new_tokens = job.max_new_tokens;
    if (!job.request.probe) {
      request.sampling = job.request.sampling;
      request.stop_tokens = model_->eos_token_ids();
    }
    request.stop = [text = job.text.get()](int32_t token) { return text->Push(token); };
    absl::StatusOr<SequenceId> sequence = decoder_->Add(std::move(request));
    if (!sequence.ok()) return sequence;
    job.times.started = MonotonicSeconds();
    if (job.cancelled) decoder_->Cancel(*sequence);
    return sequence;
  }

  bool LeavesRoomForProbe(const Job& job) const {
    DecoderStats stats = decoder_->stats();
    int64_t needed = KvCache::BlocksFor(static_cast<int64_t>(job.prompt.size()) + job.max_new_tokens - 1);
    return stats.cache_blocks_total - stats.cache_blocks_used - needed >= 1;
  }

  void Deliver(const std::vector<DecodeOutput>& outputs) {
    const double now = MonotonicSeconds();
    for (const DecodeOutput& output : outputs) {
      auto it = running_.find(output.id);
      CHECK(it != running_.end()) << "ModelEngine: the decoder knows a sequence that was never admitted";
      JobPtr job = it->second;
      if (output.token >= 0) job->GiveToken(now, output);
      if (output.finish == FinishReason::kNone) continue;
      running_.erase(it);
      {
        std::lock_guard<std::mutex> lock(mutex_);
        jobs_.erase(job->id);
      }
      const bool cancelled = output.finish == FinishReason::kCancelled;
      job->Finish(cancelled ? WasCancelled() : absl::OkStatus(), output.finish);
    }
  }

  void UpdateStats() {
    DecoderStats stats = decoder_->stats();
    std::lock_guard<std::mutex> lock(mutex_);
    stats_.running = static_cast<int64_t>(running_.size());
    stats_.cache_blocks_used = stats.cache_blocks_used;
    stats_.cache_blocks_total = stats.cache_blocks_total;
    last_beat_ = MonotonicSeconds();
  }

  const std::unique_ptr<LanguageModel> model_;
  const Tokenizer tokenizer_;
  const ModelEngineOptions options_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false, paused_ = false, any_cancelled_ = false;
  EngineRequestId next_id_ = 1;
  std::map<EngineRequestId, JobPtr> jobs_;  // all that are not finished
  std::deque<JobPtr> arrived_, ready_, probes_;
  int64_t waiting_ = 0;  // arrived, being encoded, or ready; without probes
  EngineStats stats_;
  double last_beat_ = MonotonicSeconds();

  // The engine thread's own.
  const std::unique_ptr<Decoder> decoder_;
  std::map<SequenceId, JobPtr> running_;

  std::thread encode_thread_, step_thread_;  // last: they use all of the above
};

int64_t CacheTokens(const LanguageModel& model, const ModelEngineOptions& options) {
  if (options.cache_tokens > 0) return options.cache_tokens;
  const int64_t context_blocks = KvCache::BlocksFor(model.max_positions());
  const int64_t affordable = kDefaultCacheBytes / std::max<int64_t>(1, context_blocks * KvCache::BlockBytes(model));
  const int64_t contexts = std::max(kLeastContexts, std::min<int64_t>(affordable, options.max_running));
  return contexts * model.max_positions();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> ModelEngine::Create(std::unique_ptr<LanguageModel> model, Tokenizer tokenizer,
                                                            const ModelEngineOptions& options) {
  if (tokenizer.vocab_size() > model->vocab_size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the tokenizer has ", tokenizer.vocab_size(), " tokens, the model only ", model->vocab_size(),
                     "; they do not belong together. Is tokenizer.json that of another model?"));
  }
  DecoderOptions decoder_options;
  decoder_options.cache_tokens = CacheTokens(*model, options);
  auto decoder = Decoder::Create(model.get(), decoder_options);
  if (!decoder.ok() && absl::IsResourceExhausted(decoder.status()) && options.cache_tokens == 0) {
    decoder = Decoder::Create(model.get(), {});  // as much as fits
  }
  if (!decoder.ok()) return decoder.status();
  return std::unique_ptr<Engine>(
      std::make_unique<Impl>(std::move(model), std::move(tokenizer), options, std::move(*decoder)));
}

}  // namespace quern
