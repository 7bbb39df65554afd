#include "nn/decode/decoder.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "kernels/cross_entropy/cross_entropy.h"
#include "kernels/reduce/reduce.h"
#include "kernels/testing.h"
#include "nn/decode/kv_cache.h"
#include "nn/decode/sampler.h"
#include "nn/testing.h"

namespace quern {
namespace {

// What decoding must equal: the whole text through the training forward again for every token.
std::vector<int32_t> Slowly(LanguageModel& model, std::vector<int32_t> text, int new_tokens,
                            const SamplingOptions& sampling, std::vector<float>* logprobs = nullptr) {
  std::vector<int32_t> answer;
  for (int i = 0; i < new_tokens; ++i) {
    Tensor logits = TrainLogits(model, text);
    Tensor last = logits.Slice(0, logits.dim(0) - 1, logits.dim(0));
    int32_t token =
        SampleToken({last.data<float>(), static_cast<size_t>(last.dim(1))}, sampling, static_cast<uint32_t>(i));
    if (sampling.temperature == 0) {
      EXPECT_EQ(token, ArgMaxRows(last)[0]);
    }
    if (logprobs != nullptr)
      logprobs->push_back(TargetLogProbabilities(last, Tensor::Of(std::vector<int32_t>{token}, {1})).data<float>()[0]);
    answer.push_back(token);
    text.push_back(token);
  }
  return answer;
}

struct Answer {
  std::vector<int32_t> tokens;
  std::vector<float> logprobs;
  FinishReason finish = FinishReason::kNone;
};

// Adds the requests as the cache has room, one a step, and runs until idle.
std::vector<Answer> RunAll(LanguageModel& model, const DecoderOptions& options,
                           const std::vector<DecodeRequest>& requests) {
  std::unique_ptr<Decoder> decoder = *Decoder::Create(&model, options);
  std::map<SequenceId, size_t> index;
  std::vector<Answer> answers(requests.size());
  for (size_t next = 0; next < requests.size() || !decoder->idle();) {
    if (next < requests.size()) {
      absl::StatusOr<SequenceId> id = decoder->Add(requests[next]);
      if (id.ok()) {
        index[*id] = next++;
      } else {
        EXPECT_EQ(id.status().code(), absl::StatusCode::kResourceExhausted) << id.status().ToString();
      }
    }
    for (const DecodeOutput& output : decoder->Step()) {
      Answer& answer = answers[index.at(output.id)];
      EXPECT_EQ(answer.finish, FinishReason::kNone) << "an output after the end";
      answer.finish = output.finish;
      answer.tokens.push_back(output.token);
      answer.logprobs.push_back(output.logprob);
    }
  }
  EXPECT_EQ(decoder->stats().cache_blocks_used, 0);
  EXPECT_EQ(decoder->stats().running + decoder->stats().waiting_prefill, 0);
  return answers;
}

std::vector<DecodeRequest> MixedRequests() {
  std::vector<DecodeRequest> requests;
  const int lengths[] = {1, 70, 64, 3, 130, 17, 63, 40};
  for (int i = 0; i < 8; ++i) {
    DecodeRequest request{.prompt = RandomIds(lengths[i], 97, static_cast<uint64_t>(i)),
                          .max_new_tokens = 3 + 5 * (i % 4)};
    if (i % 2 == 1)
      request.sampling = {
          .temperature = 0.9f, .top_k = i % 4 == 1 ? 20 : 0, .top_p = 0.95f, .seed = static_cast<uint64_t>(i)};
    requests.push_back(request);
  }
  return requests;
}

class DecoderTest : public testing::TestWithParam<std::string> {};

TEST_P(DecoderTest, EqualsTheTrainingForwardWhateverTheBatchMates) {
  std::unique_ptr<LanguageModel> model = SmallModel(GetParam());
  std::vector<DecodeRequest> requests = MixedRequests();
  std::vector<std::vector<int32_t>> expected;
  std::vector<std::vector<float>> logprobs(requests.size());
  for (size_t i = 0; i < requests.size(); ++i) {
    expected.push_back(
        Slowly(*model, requests[i].prompt, requests[i].max_new_tokens, requests[i].sampling, &logprobs[i]));
  }
  const DecoderOptions settings[] = {
      {},
      {.cache_tokens = 64 * 4,
       .prefill_chunk = 7,
       .max_batch_tokens = 9},  // so little that most wait, for room or for a turn
      {.cache_tokens = 64 * 9, .prefill_chunk = 64, .max_batch_tokens = 3},
      {.cache_tokens = 64 * 40, .prefill_chunk = 1, .max_batch_tokens = 1},
  };
  for (const DecoderOptions& options : settings) {
    SCOPED_TRACE(options.max_batch_tokens);
    std::vector<Answer> answers = RunAll(*model, options, requests);
    for (size_t i = 0; i < requests.size(); ++i) {
      EXPECT_EQ(answers[i].tokens, expected[i]) << i;
      EXPECT_EQ(answers[i].logprobs, logprobs[i]) << i;
      EXPECT_EQ(answers[i].finish, FinishReason::kLength) << i;
    }
  }
  for (size_t i = 0; i < requests.size(); ++i) {
    absl::StatusOr<GenerateResult> alone = Generate(model.get(), requests[i]);
    ASSERT_TRUE(alone.ok()) << alone.status().ToString();
    EXPECT_EQ(alone->tokens, expected[i]) << i;
    EXPECT_EQ(alone->logprobs, logprobs[i]) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, DecoderTest, testing::Values("gpt2", "llama", "qwen2"),
                         [](const auto& info) { return info.param; });

TEST(DecoderStopTest, EndsWithTheTokenThatStopsIt) {
  std::unique_ptr<LanguageModel> model = SmallModel("gpt2");
  DecodeRequest request{.prompt = RandomIds(9, 97, 1), .max_new_tokens = 12, .sampling = {.temperature = 1, .seed = 2}};
  std::vector<int32_t> whole = Generate(model.get(), request)->tokens;
  ASSERT_EQ(whole.size(), 12u);
  size_t first = static_cast<size_t>(std::find(whole.begin(), whole.end(), whole[5]) - whole.begin());
  std::vector<int32_t> cut(whole.begin(), whole.begin() + static_cast<int64_t>(first) + 1);

  request.stop_tokens = {whole[5]};
  absl::StatusOr<GenerateResult> listed = Generate(model.get(), request);
  EXPECT_EQ(listed->tokens, cut);
  EXPECT_EQ(listed->finish, FinishReason::kStop);

  request.stop_tokens = {};
  int seen = 0;
  request.stop = [&](int32_t token) {
    EXPECT_EQ(token, whole[static_cast<size_t>(seen)]);
    return ++seen == 4;
  };
  absl::StatusOr<GenerateResult> asked = Generate(model.get(), request);
  EXPECT_EQ(asked->tokens.size(), 4u);
  EXPECT_EQ(asked->finish, FinishReason::kStop);
}

TEST(DecoderStopTest, CancelGivesTheMemoryBackAndLeavesOthersAlone) {
  std::unique_ptr<LanguageModel> model = SmallModel("llama");
  DecodeRequest kept{.prompt = RandomIds(20, 97, 1), .max_new_tokens = 10};
  std::vector<int32_t> expected = Generate(model.get(), kept)->tokens;

  std::unique_ptr<Decoder> decoder = *Decoder::Create(model.get(), {.cache_tokens = 64 * 4, .prefill_chunk = 8});
  SequenceId doomed = *decoder->Add({.prompt = RandomIds(30, 97, 2), .max_new_tokens = 90});
  SequenceId id = *decoder->Add(kept);
  EXPECT_EQ(decoder->stats().cache_blocks_used, 3);
  std::vector<int32_t> tokens;
  int steps = 0, cancelled = 0;
  while (!decoder->idle()) {
    if (++steps == 7) decoder->Cancel(doomed);
    for (const DecodeOutput& output : decoder->Step()) {
      if (output.id == id) tokens.push_back(output.token);
      if (output.finish != FinishReason::kCancelled) continue;
      EXPECT_EQ(output.id, doomed);
      EXPECT_EQ(output.token, -1);
      EXPECT_EQ(decoder->stats().cache_blocks_used, 1);
      ++cancelled;
    }
  }
  EXPECT_EQ(cancelled, 1);
  EXPECT_EQ(tokens, expected);
  decoder->Cancel(12345);  // unknown: ignored

  int count = 0;
  absl::StatusOr<GenerateResult> stopped = Generate(model.get(), kept, [&](int32_t) { return ++count < 3; });
  EXPECT_EQ(stopped->tokens.size(), 3u);
  EXPECT_EQ(stopped->finish, FinishReason::kCancelled);
}

TEST(DecoderAddTest, RefusesWhatCannotBeDoneAndSaysWhy) {
  std::unique_ptr<LanguageModel> model = SmallModel("gpt2");
  std::unique_ptr<Decoder> decoder = *Decoder::Create(model.get(), {.cache_tokens = 128});
  auto error = [&](const DecodeRequest& request) { return decoder->Add(request).status(); };
  EXPECT_EQ(error({}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(error({.prompt = {1, 97}}).message().find("token 97 at index 1"), std::string::npos);
  EXPECT_NE(error({.prompt = {1, -1}}).message().find("token -1 at index 1"), std::string::npos);
  EXPECT_NE(error({.prompt = {1}, .max_new_tokens = 0}).message().find("max_new_tokens"), std::string::npos);
  EXPECT_NE(error({.prompt = {1}, .max_new_tokens = 2147483647}).message().find("more than the model's 256"),
            std::string::npos);
  EXPECT_NE(error({.prompt = RandomIds(250, 97, 1), .max_new_tokens = 10}).message().find("4 tokens more"),
            std::string::npos);
  EXPECT_NE(
      error({.prompt = RandomIds(150, 97, 1), .max_new_tokens = 10}).message().find("64 more than the whole cache"),
      std::string::npos);
  EXPECT_NE(error({.prompt = {1}, .sampling = {.top_p = 2}}).message().find("top_p"), std::string::npos);
  EXPECT_TRUE(decoder->idle());
  // 129 positions with the last token, which is never read back: two blocks are enough.
  EXPECT_TRUE(decoder->Add({.prompt = RandomIds(119, 97, 1), .max_new_tokens = 10}).ok());
  EXPECT_EQ(error({.prompt = {1}, .max_new_tokens = 1}).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(Decoder::Create(model.get(), {.prefill_chunk = 0}).ok());
  EXPECT_FALSE(Decoder::Create(model.get(), {.max_batch_tokens = 0}).ok());
  EXPECT_EQ(Decoder::Create(model.get(), {.cache_tokens = int64_t{1} << 35}).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(KvCacheTest, BlocksComeAndGo) {
  std::unique_ptr<LanguageModel> model = SmallModel("gpt2");
  std::unique_ptr<KvCache> cache = *KvCache::Create(*model, 3);
  EXPECT_EQ(KvCache::BlocksFor(0), 0);
  EXPECT_EQ(KvCache::BlocksFor(64), 1);
  EXPECT_EQ(KvCache::BlocksFor(65), 2);
  std::vector<int32_t> a = *cache->Allocate(2);
  EXPECT_FALSE(cache->Allocate(2).has_value());
  EXPECT_EQ(cache->free_blocks(), 1);
  cache->Free(a);
  EXPECT_EQ(cache->Allocate(3)->size(), 3u);
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(cache->Free({7}), "block 7");
}

}  // namespace
}  // namespace quern
