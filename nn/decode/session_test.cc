#include "nn/decode/session.h"

#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "nn/testing.h"

namespace quern {
namespace {

using Ids = std::vector<int32_t>;

// What a session's answer must equal: everything from scratch.
void ExpectSameAnswer(LanguageModel& model, const Ids& text, DecodeRequest request, const GenerateResult& answer) {
  request.prompt = text;
  const absl::StatusOr<GenerateResult> whole = Generate(&model, request);
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_EQ(answer.tokens, whole->tokens);
  EXPECT_EQ(answer.logprobs, whole->logprobs);
  EXPECT_EQ(answer.finish, whole->finish);
}

void Extend(Ids& text, const Ids& more) { text.insert(text.end(), more.begin(), more.end()); }

class SessionTest : public testing::TestWithParam<std::string> {};

TEST_P(SessionTest, TurnsGiveTheBitsOfOneGenerateOverTheWholeText) {
  std::unique_ptr<LanguageModel> model = SmallModel(GetParam());
  for (const int32_t chunk : {1, 7, 64, 256}) {
    SCOPED_TRACE(chunk);
    std::unique_ptr<Session> session = *Session::Create(model.get(), {.prefill_chunk = chunk});
    Ids text;
    const int lengths[] = {5, 1, 63, 17, 0, 40};
    for (uint64_t turn = 0; turn < 6; ++turn) {
      SCOPED_TRACE(turn);
      DecodeRequest request{.prompt = RandomIds(lengths[turn], 97, turn), .max_new_tokens = 3 + lengths[turn] / 2};
      if (turn % 2 == 1) request.sampling = {.temperature = 0.9f, .top_k = 40, .top_p = 0.95f, .seed = turn};
      Extend(text, request.prompt);
      const absl::StatusOr<GenerateResult> answer = session->Generate(request);
      ASSERT_TRUE(answer.ok()) << answer.status();
      ExpectSameAnswer(*model, text, request, *answer);
      Extend(text, answer->tokens);
      EXPECT_EQ(session->ids(), text);
      EXPECT_EQ(session->cached(), session->size() - 1) << "all but the last token, which nothing has read yet";
    }
  }
}

TEST_P(SessionTest, WhatIsTakenBackOrForgottenLeavesNoTrace) {
  std::unique_ptr<LanguageModel> model = SmallModel(GetParam());
  std::unique_ptr<Session> session = *Session::Create(model.get(), {});
  const DecodeRequest first{.prompt = RandomIds(70, 97, 1), .max_new_tokens = 30};
  ASSERT_TRUE(session->Generate(first).ok());

  // Another answer to the same: the prompt is cached whole, and its last id is read again for its logits.
  session->Truncate(70);
  EXPECT_EQ(session->cached(), 70);
  const DecodeRequest again{.max_new_tokens = 20, .sampling = {.temperature = 1, .seed = 5}};
  ExpectSameAnswer(*model, first.prompt, again, *session->Generate(again));

  // 10 ids from the middle: what stands behind is at other positions now.
  Ids text = session->ids();
  text.erase(text.begin() + 40, text.begin() + 50);
  session->Erase(40, 50);
  EXPECT_EQ(session->ids(), text);
  EXPECT_EQ(session->cached(), 40);
  const DecodeRequest next{.prompt = RandomIds(3, 97, 2), .max_new_tokens = 12};
  Extend(text, next.prompt);
  ExpectSameAnswer(*model, text, next, *session->Generate(next));

  session->Truncate(0);
  ExpectSameAnswer(*model, first.prompt, first, *session->Generate(first));
}

INSTANTIATE_TEST_SUITE_P(Models, SessionTest, testing::Values("gpt2", "llama", "qwen2"),
                         [](const auto& info) { return info.param; });

TEST(SessionStopTest, HooksEndAnAnswerAndTheTextStays) {
  std::unique_ptr<LanguageModel> model = SmallModel("llama");
  std::unique_ptr<Session> session = *Session::Create(model.get(), {.prefill_chunk = 8});
  const DecodeRequest request{.prompt = RandomIds(30, 97, 1), .max_new_tokens = 40};
  const Ids whole = Generate(model.get(), request)->tokens;

  // While the prompt is read: after two chunks of four.
  int asked = 0;
  absl::StatusOr<GenerateResult> answer = session->Generate(request, {.keep_going = [&] { return ++asked <= 2; }});
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->finish, FinishReason::kCancelled);
  EXPECT_TRUE(answer->tokens.empty());
  EXPECT_EQ(session->ids(), request.prompt);
  EXPECT_EQ(session->cached(), 16);

  // While it answers: the token that was seen stays.
  Ids seen;
  answer = session->Generate({.max_new_tokens = 40}, {.on_token = [&](int32_t token) {
                               seen.push_back(token);
                               return seen.size() < 4;
                             }});
  EXPECT_EQ(answer->finish, FinishReason::kCancelled);
  EXPECT_EQ(seen, Ids(whole.begin(), whole.begin() + 4));
  EXPECT_EQ(answer->tokens, seen);

  // And on from there, to the end of the whole.
  answer = session->Generate({.max_new_tokens = 36});
  EXPECT_EQ(answer->finish, FinishReason::kLength);
  EXPECT_EQ(answer->tokens, Ids(whole.begin() + 4, whole.end()));

  answer = session->Generate({.max_new_tokens = 9, .stop = [](int32_t) { return true; }});
  EXPECT_EQ(answer->finish, FinishReason::kStop);
  EXPECT_EQ(answer->tokens.size(), 1u);
}

TEST(SessionRefusalTest, SaysWhyAndChangesNothing) {
  std::unique_ptr<LanguageModel> model = SmallModel("gpt2");
  EXPECT_EQ(Session::Create(model.get(), {.positions = 257}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Session::Create(model.get(), {.positions = -1}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(Session::Create(model.get(), {.prefill_chunk = 0}).ok());
  EXPECT_EQ((*Session::Create(model.get(), {}))->positions(), 256);

  std::unique_ptr<Session> session = *Session::Create(model.get(), {.positions = 50});
  auto error = [&](const DecodeRequest& request) {
    const absl::Status status = session->Generate(request).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    return std::string(status.message());
  };
  EXPECT_NE(error({}).find("is empty"), std::string::npos);
  ASSERT_TRUE(session->Append(RandomIds(30, 97, 1)).ok());
  const Ids before = session->ids();
  EXPECT_NE(error({.prompt = {1, 97}}).find("token 97 at index 1"), std::string::npos);
  EXPECT_NE(error({.prompt = {1}, .max_new_tokens = 0}).find("max_new_tokens"), std::string::npos);
  EXPECT_NE(error({.prompt = {1}, .max_new_tokens = 2147483647}).find("more than the 50"), std::string::npos);
  EXPECT_NE(error({.prompt = {1}, .max_new_tokens = 20}).find("are 1 tokens more"), std::string::npos);
  EXPECT_NE(error({.prompt = {1}, .max_new_tokens = 2, .sampling = {.top_p = 2}}).find("top_p"), std::string::npos);
  EXPECT_NE(session->Append(RandomIds(21, 97, 1)).message().find("1 more than the 50"), absl::string_view::npos);
  EXPECT_EQ(session->ids(), before);
  EXPECT_EQ(session->room(), 20);
  // To the last position.
  EXPECT_EQ(session->Generate({.max_new_tokens = 20})->tokens.size(), 20u);
  EXPECT_EQ(session->room(), 0);
}

}  // namespace
}  // namespace quern
