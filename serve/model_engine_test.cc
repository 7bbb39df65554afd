#include "serve/model_engine.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/testing.h"
#include "gtest/gtest.h"
#include "nn/testing.h"
#include "serve/model_testing.h"

namespace quern {
namespace {

// What came back for one request.
struct Inbox {
  std::mutex mutex;
  std::condition_variable changed;
  std::string text;
  int32_t new_tokens = 0;
  EngineUpdate last;

  EngineUpdateFn Updates() {
    return [this](EngineUpdate update) {
      std::lock_guard<std::mutex> lock(mutex);
      EXPECT_FALSE(last.finished) << "an update after the last one";
      text += update.text;
      new_tokens += update.new_tokens;
      last = std::move(update);
      changed.notify_all();
    };
  }
  bool Finished(double seconds = 60) {
    std::unique_lock<std::mutex> lock(mutex);
    return changed.wait_for(lock, std::chrono::duration<double>(seconds), [this] { return last.finished; });
  }
};

EngineRequest Ask(const std::string& prompt, int32_t max_new_tokens) {
  EngineRequest request;
  request.prompt = prompt;
  request.max_new_tokens = max_new_tokens;
  return request;
}

class ModelEngineTest : public testing::Test {
 protected:
  void Start(const ModelEngineOptions& options = {}) {
    auto engine = ModelEngine::Create(SmallModel("llama"), tokenizer_, options);
    ASSERT_TRUE(engine.ok()) << engine.status();
    engine_ = std::move(*engine);
  }
  void Submit(EngineRequest request, Inbox& inbox) {
    auto id = engine_->Submit(std::move(request), inbox.Updates());
    ASSERT_TRUE(id.ok()) << id.status();
    ids_.push_back(*id);
  }

  const Tokenizer tokenizer_ = TestTokenizer();
  const std::unique_ptr<LanguageModel> reference_ = SmallModel("llama");
  std::deque<Inbox> inboxes_;  // outlives the engine
  std::vector<EngineRequestId> ids_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(ModelEngineTest, AnswersAreThoseOfGenerateWhateverRunsBeside) {
  ModelEngineOptions options;
  options.max_running = 5;
  Start(options);
  std::vector<ReferenceAnswer> expected;
  for (int i = 0; i < 24; ++i) {
    EngineRequest request =
        Ask(std::string(static_cast<size_t>(1 + i * 7 % 90), static_cast<char>('A' + i)), 3 + i * 5);
    request.sampling.seed = static_cast<uint64_t>(i % 4);
    if (i % 2 == 1) request.sampling.temperature = 0.9f;
    if (i % 3 == 1) request.sampling.top_k = 20;
    if (i % 5 == 1) request.sampling.top_p = 0.8f;
    if (i % 4 == 2) request.stop = {"e", "the"};
    expected.push_back(GenerateAlone(*reference_, tokenizer_, request.prompt, *request.max_new_tokens, request.sampling,
                                     request.stop));
    Submit(std::move(request), inboxes_.emplace_back());
  }
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_TRUE(inboxes_[i].Finished());
    EXPECT_TRUE(inboxes_[i].last.status.ok()) << inboxes_[i].last.status;
    EXPECT_EQ(inboxes_[i].text, expected[i].text) << i;
    EXPECT_EQ(inboxes_[i].last.finish_reason, expected[i].finish_reason);
    EXPECT_EQ(inboxes_[i].last.prompt_tokens, expected[i].prompt_tokens);
    EXPECT_EQ(inboxes_[i].last.completion_tokens, expected[i].completion_tokens);
    EXPECT_EQ(inboxes_[i].new_tokens, expected[i].completion_tokens);
    const EngineTimes& times = inboxes_[i].last.times;
    EXPECT_TRUE(times.submitted <= times.started && times.started <= times.first_token &&
                times.first_token <= times.finished);
  }
}

TEST_F(ModelEngineTest, CancellingOneLeavesTheOthersAlone) {
  Start();
  for (int i = 0; i < 12; ++i) Submit(Ask(absl::StrCat("number ", i), 200), inboxes_.emplace_back());
  for (size_t i = 0; i < 12; i += 3) engine_->Cancel(ids_[i]);
  engine_->Cancel(987654321);
  for (size_t i = 0; i < 12; ++i) {
    ASSERT_TRUE(inboxes_[i].Finished());
    if (i % 3 == 0) {
      EXPECT_EQ(inboxes_[i].last.status.code(), absl::StatusCode::kCancelled);
    } else {
      EXPECT_EQ(inboxes_[i].text, GenerateAlone(*reference_, tokenizer_, absl::StrCat("number ", i), 200).text);
    }
  }
  EXPECT_TRUE(Eventually([&] { return engine_->stats().cache_blocks_used == 0 && engine_->stats().running == 0; }));
  EXPECT_EQ(engine_->stats().waiting, 0);
}

TEST_F(ModelEngineTest, ASmallCacheIsSharedInTurnsAndLeavesRoomForTheProbe) {
  ModelEngineOptions options;
  options.cache_tokens = 256;  // four blocks; each request needs two
  Start(options);
  for (int i = 0; i < 8; ++i) Submit(Ask("abc", 100), inboxes_.emplace_back());
  for (int i = 0; i < 5; ++i) {
    EngineRequest probe;
    probe.probe = true;
    Submit(std::move(probe), inboxes_.emplace_back());
  }
  const std::string expected = GenerateAlone(*reference_, tokenizer_, "abc", 100).text;
  for (size_t i = 0; i < inboxes_.size(); ++i) {
    ASSERT_TRUE(inboxes_[i].Finished());
    EXPECT_TRUE(inboxes_[i].last.status.ok()) << inboxes_[i].last.status;
    if (i < 8) {
      EXPECT_EQ(inboxes_[i].text, expected);
    } else {
      EXPECT_EQ(inboxes_[i].last.completion_tokens, 1);
    }
  }
  EXPECT_LT(inboxes_[8].last.time, inboxes_[7].last.times.started) << "the probe waited its turn";
}

TEST_F(ModelEngineTest, TheQueueIsBoundedAndProbesPassIt) {
  ModelEngineOptions options;
  options.max_running = 1;
  options.max_queue = 2;
  Start(options);
  engine_->Pause(true);
  Submit(Ask("a", 5), inboxes_.emplace_back());
  Submit(Ask("b", 5), inboxes_.emplace_back());
  Inbox refused;
  auto full = engine_->Submit(Ask("c", 5), refused.Updates());
  EXPECT_EQ(full.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(engine_->stats().waiting, 2);
  EngineRequest probe;
  probe.probe = true;
  Submit(std::move(probe), inboxes_.emplace_back());
  EXPECT_FALSE(inboxes_[2].Finished(0.3)) << "a paused engine gave a token";
  EXPECT_GT(engine_->stats().seconds_since_step, 0.2);
  engine_->Pause(false);
  for (Inbox& inbox : inboxes_) EXPECT_TRUE(inbox.Finished());
  EXPECT_TRUE(Eventually([&] { return engine_->stats().waiting == 0; }));
}

TEST_F(ModelEngineTest, RequestsAtFaultNameTheirField) {
  Start();
  struct Case {
    EngineRequest request;
    std::string field, says;
  };
  EngineRequest greedy_for_more = Ask("abc", 254);
  for (const Case& bad : {Case{Ask("", 5), "prompt", "empty"}, Case{Ask("ж", 5), "prompt", "ж"},
                          Case{Ask(std::string(256, 'a'), 1), "prompt", "256"},
                          Case{greedy_for_more, "max_new_tokens", "room for 253"}}) {
    Inbox inbox;
    auto id = engine_->Submit(bad.request, inbox.Updates());
    ASSERT_TRUE(id.ok());
    ASSERT_TRUE(inbox.Finished());
    EXPECT_EQ(inbox.last.status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(inbox.last.field, bad.field);
    EXPECT_NE(std::string(inbox.last.status.message()).find(bad.says), std::string::npos) << inbox.last.status;
  }
  EXPECT_EQ(engine_->stats().waiting, 0);
  // Without max_new_tokens an answer takes what room there is.
  EngineRequest rest = Ask(std::string(250, 'a'), 1);
  rest.max_new_tokens.reset();
  Inbox inbox;
  ASSERT_TRUE(engine_->Submit(rest, inbox.Updates()).ok());
  ASSERT_TRUE(inbox.Finished());
  EXPECT_EQ(inbox.last.max_new_tokens, 6);
}

TEST_F(ModelEngineTest, ShutdownEndsAllThatIsLeft) {
  ModelEngineOptions options;
  options.max_running = 2;
  Start(options);
  for (int i = 0; i < 20; ++i) Submit(Ask("abc", 250), inboxes_.emplace_back());
  engine_->Shutdown();
  size_t cancelled = 0;
  for (Inbox& inbox : inboxes_) {
    ASSERT_TRUE(inbox.Finished(0));
    cancelled += absl::IsCancelled(inbox.last.status) ? 1 : 0;
  }
  EXPECT_GT(cancelled, 10u);
  Inbox late;
  EXPECT_FALSE(engine_->Submit(Ask("abc", 1), late.Updates()).ok());
}

TEST_F(ModelEngineTest, TokenizerAndModelMustFit) {
  auto engine = ModelEngine::Create(SmallModel("gpt2"), Tokenizer::Bytes(), {});
  ASSERT_EQ(engine.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(std::string(engine.status().message()).find("256"), std::string::npos);
}

}  // namespace
}  // namespace quern
