#include "cli/chat/conversation.h"

#include <memory>
#include <string>
#include <vector>

#include "data/tokenizer/bpe_train.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nn/testing.h"
#include "serve/model_testing.h"

namespace quern::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using Ids = std::vector<int32_t>;

bool KeepGoing() { return true; }
bool Listen(std::string_view) { return true; }

std::unique_ptr<Conversation> Begin(LanguageModel& model, const Tokenizer& tokenizer,
                                    const ConversationOptions& options) {
  absl::StatusOr<std::unique_ptr<Conversation>> made = Conversation::Start(&model, tokenizer, options, KeepGoing);
  EXPECT_TRUE(made.ok()) << made.status();
  return *std::move(made);
}

// From scratch, with what the reply says of itself.
void ExpectReproducible(LanguageModel& model, const ConversationOptions& options, const Reply& reply) {
  DecodeRequest request{.prompt = reply.prompt_ids,
                        .max_new_tokens = static_cast<int32_t>(reply.result.tokens.size()),
                        .sampling = options.sampling};
  request.sampling.seed = reply.seed;
  const absl::StatusOr<GenerateResult> whole = Generate(&model, request);
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_EQ(reply.result.tokens, whole->tokens);
  EXPECT_EQ(reply.result.logprobs, whole->logprobs);
}

class ConversationTest : public ::testing::Test {
 protected:
  std::unique_ptr<LanguageModel> model_ = SmallModel("llama");
  Tokenizer tokenizer_ = TestTokenizer();
};

TEST_F(ConversationTest, IsOneTextOfWhichOnlyTheNewIsRead) {
  const ConversationOptions options{.opening = "Scene.",
                                    .prefix = "A: ",
                                    .suffix = "\nB:",
                                    .max_new_tokens = 12,
                                    .sampling = {.temperature = 1, .seed = 7}};
  std::unique_ptr<Conversation> talk = Begin(*model_, tokenizer_, options);
  std::string text = "Scene.";
  int64_t read = 0;
  for (const std::string line : {"Hello", "", "What\nnow?", "//"}) {
    if (!line.empty()) text += (text.back() == '\n' ? "A: " : "\nA: ") + line + "\nB:";
    std::string heard;
    const absl::StatusOr<Reply> reply = talk->Say(line, [&](std::string_view piece) {
      heard += piece;
      return true;
    });
    ASSERT_TRUE(reply.ok()) << reply.status();
    EXPECT_EQ(reply->line, line);
    EXPECT_EQ(*tokenizer_.Decode(reply->prompt_ids), text);
    EXPECT_EQ(reply->cached_tokens, read);
    EXPECT_EQ(reply->text, heard);
    EXPECT_EQ(reply->result.finish, FinishReason::kLength);
    ExpectReproducible(*model_, options, *reply);
    text += reply->text;
    EXPECT_EQ(talk->Text(), text);
    read = static_cast<int64_t>(talk->ids().size()) - 1;
  }
}

TEST_F(ConversationTest, TheSameLinesGiveTheSameAnswersAndRetryGivesOthers) {
  const ConversationOptions options{.max_new_tokens = 16, .sampling = {.temperature = 1, .seed = 3}};
  std::vector<std::string> answers[2];
  for (std::vector<std::string>& heard : answers) {
    std::unique_ptr<Conversation> talk = Begin(*model_, tokenizer_, options);
    heard.push_back(talk->Say("One", Listen)->text);
    const Ids first = talk->ids();
    const Reply again = *talk->Retry(Listen);
    EXPECT_EQ(again.line, "One");
    EXPECT_EQ(again.seed, 4);
    EXPECT_EQ(again.prompt_ids, *tokenizer_.Encode("One"));
    ExpectReproducible(*model_, options, again);
    heard.push_back(again.text);
    heard.push_back(talk->Say("Two", Listen)->text);
    EXPECT_TRUE(talk->Undo().ok());
    EXPECT_EQ(talk->Text(), "One" + again.text);
    EXPECT_TRUE(talk->Undo().ok());
    EXPECT_EQ(talk->Text(), "");
    EXPECT_EQ(talk->Undo().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(talk->Retry(Listen).status().code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(answers[0], answers[1]);
  EXPECT_NE(answers[0][0], answers[0][1]);
}

TEST_F(ConversationTest, BadLinesLeaveItAsItWas) {
  std::unique_ptr<Conversation> talk = Begin(*model_, tokenizer_, {.max_new_tokens = 8, .context = 64});
  const auto refuses = [&](const std::string& line, const std::string& why) {
    const Ids before = talk->ids();
    const absl::Status status = talk->Say(line, Listen).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(why));
    EXPECT_EQ(talk->ids(), before);
  };
  refuses("", "no text yet");
  ASSERT_TRUE(talk->Say("Hello", Listen).ok());
  refuses("price: \xE2\x82\xAC", "U+20AC");
  refuses(std::string(63, 'x'), "the line is 64 tokens long, and the context of 64 has room for 63");
  // The longest that goes is alone, and gets an answer of the one token that is left.
  const Reply reply = *talk->Say(std::string(62, 'x'), Listen);
  EXPECT_EQ(reply.forgotten_turns, 1);
  EXPECT_EQ(reply.prompt_ids.size(), 62u) << "no newline before what is the first line again";
  EXPECT_EQ(reply.result.tokens.size(), 2u);
  EXPECT_EQ(talk->ids().size(), 64u);

  const auto start = [&](const ConversationOptions& options) {
    return std::string(Conversation::Start(model_.get(), tokenizer_, options, KeepGoing).status().message());
  };
  EXPECT_THAT(start({.opening = std::string(300, 'x')}), HasSubstr("begins with 300 tokens"));
  EXPECT_THAT(start({.context = 257}), HasSubstr("the model's 256 positions"));
  EXPECT_THAT(start({.context = 1}), HasSubstr("raise --context"));
}

TEST_F(ConversationTest, AFullContextForgetsTheOldestTurnsWhole) {
  const ConversationOptions options{
      .opening = "Opening\n", .max_new_tokens = 20, .sampling = {.temperature = 1, .seed = 1}, .context = 100};
  std::unique_ptr<Conversation> talk = Begin(*model_, tokenizer_, options);
  std::vector<std::string> turns;
  int64_t forgotten = 0;
  for (int i = 0; i < 40; ++i) {
    const std::string line = std::string(static_cast<size_t>(1 + i * 7 % 40), static_cast<char>('a' + i % 26));
    const Reply reply = *talk->Say(line, Listen);
    turns.erase(turns.begin(), turns.begin() + reply.forgotten_turns);
    forgotten += reply.forgotten_turns;
    std::string text = "Opening\n";
    for (const std::string& turn : turns) text += (text.back() == '\n' ? "" : "\n") + turn;
    text += (text.back() == '\n' ? "" : "\n") + line;
    EXPECT_EQ(*tokenizer_.Decode(reply.prompt_ids), text) << i;
    EXPECT_EQ(reply.result.tokens.size(), 20u) << i;
    ExpectReproducible(*model_, options, reply);
    turns.push_back(line + reply.text);
  }
  EXPECT_GT(forgotten, 20);
}

TEST_F(ConversationTest, AnEmptyLineGoesOnForEver) {
  const ConversationOptions options{.opening = "Up", .max_new_tokens = 50, .context = 64};
  std::unique_ptr<Conversation> talk = Begin(*model_, tokenizer_, options);
  std::string text = "Up";
  for (int i = 0; i < 20; ++i) {
    const Reply reply = *talk->Say("", Listen);
    ASSERT_GE(reply.result.tokens.size(), 16u) << i;
    const std::string prompt = *tokenizer_.Decode(reply.prompt_ids);
    EXPECT_THAT(prompt, StartsWith("Up"));
    EXPECT_EQ(text.substr(text.size() - prompt.size() + 2), prompt.substr(2)) << "the end of the text";
    ExpectReproducible(*model_, options, reply);
    text += reply.text;
  }
  // Back through turns whose beginning is forgotten.
  while (talk->Undo().ok()) talk->Retry(Listen).IgnoreError();
  EXPECT_EQ(talk->Text(), "Up");
  talk->Reset();
  EXPECT_EQ(talk->Text(), "Up");
}

TEST_F(ConversationTest, AnInterruptedAnswerStaysAsFarAsItWasShown) {
  int steps = 0;
  absl::StatusOr<std::unique_ptr<Conversation>> made =
      Conversation::Start(model_.get(), tokenizer_, {.max_new_tokens = 50}, [&] { return ++steps % 6 != 0; });
  Conversation& talk = **made;
  const Reply reply = *talk.Say("Hello", Listen);
  EXPECT_EQ(reply.result.finish, FinishReason::kCancelled);
  EXPECT_EQ(reply.result.tokens.size(), 5u);
  EXPECT_EQ(talk.Text(), "Hello" + reply.text);
  const Reply refused = *talk.Say("x", [](std::string_view) { return false; });
  EXPECT_EQ(refused.result.tokens.size(), 1u);
  EXPECT_EQ(talk.Text(), "Hello" + reply.text + "\nx" + refused.text);
}

// A vocabulary of pieces, and <|endoftext|>.
class BpeConversationTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string text;
    for (int i = 0; i < 300; ++i) text += "the miller grinds the wheat.\nand the river hears; ";
    tokenizer_ = *TrainBpe(text, {.vocab_size = 300});
    const std::string size = std::to_string(tokenizer_.vocab_size()), end = std::to_string(*tokenizer_.eos_id());
    model_ = *MakeModel(ConfigOf("llama { vocab_size: " + size + " eos_token_id: " + end +
                                 " max_position_embeddings: 256 hidden_size: 32 intermediate_size: 48 "
                                 "num_hidden_layers: 1 num_attention_heads: 2 }"),
                        1);
  }
  Tokenizer tokenizer_ = Tokenizer::Bytes();
  std::unique_ptr<LanguageModel> model_;
};

TEST_F(BpeConversationTest, WhatAStopTextCutsOffIsNotPartOfTheText) {
  int cut_inside = 0;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    // "e" stands inside of many tokens: " the", "miller".
    std::unique_ptr<Conversation> talk = Begin(
        *model_, tokenizer_, {.stops = {"e"}, .max_new_tokens = 120, .sampling = {.temperature = 1, .seed = seed}});
    const Reply reply = *talk->Say("go", Listen);
    if (reply.result.finish != FinishReason::kStop || reply.result.tokens.back() == *tokenizer_.eos_id()) continue;
    const std::string raw = *tokenizer_.Decode(reply.result.tokens), shown = raw.substr(0, raw.find('e'));
    if (reply.text != shown) continue;  // bytes that are no UTF-8
    EXPECT_EQ(talk->Text(), "go" + shown);
    const std::string last(tokenizer_.TokenBytes(reply.result.tokens.back()));
    cut_inside += last[0] != 'e';
    // An empty line goes on past the stop text; back to where it stopped.
    EXPECT_EQ(*tokenizer_.Decode(talk->Say("", Listen)->prompt_ids), "go" + shown + "e");
    EXPECT_TRUE(talk->Undo().ok());
    EXPECT_EQ(talk->Text(), "go" + shown);
    EXPECT_TRUE(talk->Say("on", Listen).ok());
    EXPECT_THAT(talk->Text(), StartsWith("go" + shown + "\non"));
  }
  EXPECT_GT(cut_inside, 3);
}

TEST_F(BpeConversationTest, BehindTheEndOfATextANewOneBegins) {
  std::unique_ptr<Conversation> talk =
      Begin(*model_, tokenizer_, {.max_new_tokens = 100, .sampling = {.temperature = 1, .seed = 1}});
  Reply reply = *talk->Say("the", Listen);
  for (int i = 0; i < 1000 && reply.result.finish != FinishReason::kStop; ++i) reply = *talk->Retry(Listen);
  ASSERT_EQ(reply.result.finish, FinishReason::kStop);
  EXPECT_THAT(reply.text, ::testing::Not(HasSubstr("endoftext")));
  const std::string before = talk->Text();
  EXPECT_EQ(before.substr(before.size() - 13), "<|endoftext|>");
  reply = *talk->Say("and", Listen);
  EXPECT_EQ(*tokenizer_.Decode(reply.prompt_ids), before + "and");
}

}  // namespace
}  // namespace quern::cli
