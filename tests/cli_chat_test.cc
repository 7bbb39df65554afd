// `quern chat` by the real binary: piped, and on a terminal with Ctrl-C and Ctrl-D.
#include <signal.h>

#include "base/file.h"
#include "base/json.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nn/model_folder.h"
#include "nn/testing.h"
#include "serve/model_testing.h"
#include "tests/cli_pty.h"
#include "tests/cli_run.h"

namespace quern {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Strings = std::vector<std::string>;

class CliChatTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    small_ = MakeTestModelFolder("small", "qwen2");
    // Long enough for an answer to be interrupted in.
    long_ = MakeTestModelFolder("long", "llama");
    const ModelConfig config = ConfigOf(
        "llama { vocab_size: 97 max_position_embeddings: 65536 hidden_size: 48 intermediate_size: 80 "
        "num_hidden_layers: 2 num_attention_heads: 6 num_key_value_heads: 2 initializer_range: 0.25 }");
    ASSERT_TRUE(SaveModel(**MakeModel(config, 1), long_).ok());
  }

  static RunResult Chat(Strings flags, const std::string& in) {
    flags.insert(flags.begin(), {"chat", "--model_name", small_});
    return RunCli(flags, {.in = in});
  }

  static std::string small_, long_;
};

std::string CliChatTest::small_, CliChatTest::long_;

TEST_F(CliChatTest, EachAnswerIsThatOfGenerateFromScratch) {
  const Strings sampling = {"--max_new_tokens", "20", "--temperature", "0.9", "--top_k", "30", "--top_p", "0.9"};
  Strings flags = sampling;
  flags.insert(flags.end(), {"--json", "--seed", "11", "--prompt", "Once.", "--context", "150"});
  const RunResult result = Chat(flags, "hello\n\nhow are you?\n/retry\nand you?\nfarewell, and come again soon\nbye\n");
  ASSERT_EQ(result.exit, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("the context of 150 tokens is full"));
  std::string texts;
  int turns = 0;
  for (size_t at = 0; at < result.out.size(); ++turns) {
    const size_t end = result.out.find('\n', at);
    const Json turn = *ParseJson(result.out.substr(at, end - at), "turn");
    at = end + 1;
    std::string ids;
    for (const Json& id : turn["prompt_ids"]) ids += (ids.empty() ? "" : ",") + std::to_string(id.get<int>());
    Strings generate = {"generate", "--model_name", small_, "--json", "--prompt_ids", ids};
    generate.insert(generate.end(), sampling.begin(), sampling.end());
    generate.insert(generate.end(), {"--seed", std::to_string(turn["seed"].get<int>())});
    const Json answer = *ParseJson(RunCli(generate).out, "generate");
    for (const char* field : {"prompt_ids", "ids", "logprobs", "text", "finish_reason"}) {
      EXPECT_EQ(turn[field], answer[field]) << field << " of turn " << turns;
    }
    EXPECT_GE(turn["usage"]["cached_tokens"], turns == 0 ? 0 : 5) << turns;
    texts += turn["text"].get<std::string>() + "\n";
  }
  EXPECT_EQ(turns, 7);
  // Without --json: the same, and nothing else.
  flags.erase(std::find(flags.begin(), flags.end(), "--json"));
  EXPECT_EQ(Chat(flags, "hello\n\nhow are you?\n/retry\nand you?\nfarewell, and come again soon\nbye\n").out, texts);
}

TEST_F(CliChatTest, SaysWhatIsWrong) {
  const auto refuses = [&](const Strings& args, const std::string& in, int exit, const std::string& why) {
    Strings all = args;
    all.insert(all.begin(), "chat");
    const RunResult result = RunCli(all, {.in = in});
    EXPECT_EQ(result.exit, exit) << why << "\n" << result.err;
    EXPECT_THAT(result.err, HasSubstr(why));
    EXPECT_EQ(result.out, "");
  };
  const std::string bare = JoinPath(::testing::TempDir(), "bare");
  ASSERT_TRUE(MakeFolders(bare).ok());
  ASSERT_TRUE(SaveModel(*SmallModel("gpt2"), bare).ok());
  refuses({}, "", 2, "--model_name M is missing");
  refuses({"--model_name", "nowhere"}, "", 3, "nowhere");
  refuses({"--model_name", bare}, "x\n", 3, "has no tokenizer.json, which a conversation needs");
  refuses({"--model_name", small_, "--temperature", "-1"}, "", 2, "--temperature");
  refuses({"--model_name", small_, "--prompt", "a", "--prompt_file", "b"}, "", 2, "one of --prompt T");
  refuses({"--model_name", small_, "--prompt_file", "nowhere.txt"}, "", 3, "nowhere.txt");
  refuses({"--model_name", small_, "--context", "1000"}, "", 3, "the model's 256 positions");
  refuses({"--model_name", small_}, "/hlep\n", 3, "line 1: there is no command /hlep. Did you mean \"/help\"?");
  refuses({"--model_name", small_}, std::string(300, 'x') + "\n", 3, "the line is 300 tokens long");
  refuses({"--model_name", small_}, "\xFF\n", 3, "byte 0xFF at byte 0");
  // They belong to the templates.
  refuses({"--model_name", small_, "--render"}, "", 2, "unknown flag --render");
}

TEST_F(CliChatTest, SaysThatAChatTemplateIsNotApplied) {
  EXPECT_THAT(Chat({}, "").err, Not(HasSubstr("template")));
  const std::string path = JoinPath(small_, "tokenizer_config.json");
  ASSERT_TRUE(WriteFileAtomic(path, "{\"chat_template\": \"{{ messages }}\"}").ok());
  const RunResult result = Chat({"--max_new_tokens", "3"}, "a\nb\n");
  ASSERT_TRUE(RemoveAll(path).ok());
  EXPECT_EQ(result.exit, 0);
  const size_t first = result.err.find("templates are not applied yet");
  ASSERT_NE(first, std::string::npos) << result.err;
  EXPECT_EQ(result.err.find("templates are not applied yet", first + 1), std::string::npos) << "once";
}

TEST_F(CliChatTest, CtrlCEndsAnAnswerThenTheConversation) {
  PtyProcess chat({"chat", "--model_name", long_, "--max_new_tokens", "60000", "--temperature", "1"});
  ASSERT_TRUE(chat.WaitFor("context of 65,536 tokens")) << chat.screen();
  ASSERT_TRUE(chat.WaitFor("> "));
  for (const std::string line : {"first\n", "second\n"}) {
    chat.Type(line);
    ASSERT_TRUE(chat.WaitFor(line)) << chat.screen();
    const size_t before = chat.screen().size();
    while (chat.screen().size() < before + 20) ASSERT_TRUE(!chat.WaitFor("no such text", 0.02));
    chat.Type("\x03");
    ASSERT_TRUE(chat.WaitFor("^C")) << chat.screen();
    ASSERT_TRUE(chat.WaitFor("\n> ")) << chat.screen();
  }
  chat.Type("/text\n");
  ASSERT_TRUE(chat.WaitFor("\nfirst")) << "the conversation is still there";
  ASSERT_TRUE(chat.WaitFor("\nsecond"));
  ASSERT_TRUE(chat.WaitFor("\n> "));
  chat.Type("\x03");
  EXPECT_EQ(chat.Wait(), 130) << chat.screen();
}

TEST_F(CliChatTest, SigtermLeavesPromptly) {
  for (const bool answering : {true, false}) {
    PtyProcess chat({"chat", "--model_name", long_, "--max_new_tokens", "60000", "--temperature", "1"});
    ASSERT_TRUE(chat.WaitFor("> ")) << chat.screen();
    if (answering) {
      chat.Type("go\n");
      ASSERT_TRUE(chat.WaitFor("go\n"));
    }
    chat.Signal(SIGTERM);
    EXPECT_EQ(chat.Wait(5), 143) << chat.screen();
  }
}

TEST_F(CliChatTest, ATerminalShowsPromptsAndCtrlDLeaves) {
  PtyProcess chat({"chat", "--model_name", small_, "--max_new_tokens", "4"});
  ASSERT_TRUE(chat.WaitFor("/help says more")) << chat.screen();
  ASSERT_TRUE(chat.WaitFor("> "));
  chat.Type("/hlep\n");
  ASSERT_TRUE(chat.WaitFor("Did you mean \"/help\"?"));
  ASSERT_TRUE(chat.WaitFor("> "));
  chat.Type(std::string(300, 'x') + "\n");
  ASSERT_TRUE(chat.WaitFor("The conversation is as it was"));
  ASSERT_TRUE(chat.WaitFor("> "));
  chat.Type("a\\\n");
  ASSERT_TRUE(chat.WaitFor("\n. "));
  chat.Type("b\n");
  ASSERT_TRUE(chat.WaitFor("\n> "));
  chat.Type("\x04");
  EXPECT_EQ(chat.Wait(), 0) << chat.screen();
}

}  // namespace
}  // namespace quern
