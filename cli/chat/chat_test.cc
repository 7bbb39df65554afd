#include "cli/chat/chat.h"

#include <signal.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nn/testing.h"
#include "serve/model_testing.h"

namespace quern::cli {
namespace {

using ::testing::HasSubstr;

// The reading end of a pipe that holds `text` and ends there.
class PipeOf {
 public:
  explicit PipeOf(const std::string& text) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    EXPECT_EQ(write(ends[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
    close(ends[1]);
    fd_ = ends[0];
  }
  ~PipeOf() { close(fd_); }
  int fd() const { return fd_; }

 private:
  int fd_ = -1;
};

class ChatTest : public ::testing::Test {
 protected:
  void TearDown() override { SimulateInterrupt(0); }

  std::unique_ptr<Conversation> Begin() {
    return *Conversation::Start(model_.get(), tokenizer_,
                                {.max_new_tokens = 6, .sampling = {.temperature = 1, .seed = 5}},
                                [] { return !Interrupted(); });
  }
  // What is printed; "!" where `on_print` (asked before each piece) fails it.
  absl::Status Talk(const std::string& in, std::string* out, bool interactive = false, bool json = false,
                    const std::function<absl::Status(std::string_view)>& on_print = {}) {
    std::unique_ptr<Conversation> conversation = Begin();
    const PipeOf pipe(in);
    LineReader input(pipe.fd());
    return RunChat(*conversation, input,
                   {.interactive = interactive, .json = json, .print = [&](std::string_view text) {
                      if (on_print) {
                        const absl::Status status = on_print(text);
                        if (!status.ok()) return status;
                      }
                      *out += text;
                      return absl::OkStatus();
                    }});
  }
  // The answers to these lines.
  std::vector<std::string> Answers(const std::vector<std::string>& lines) {
    std::unique_ptr<Conversation> conversation = Begin();
    std::vector<std::string> answers;
    for (const std::string& line : lines) {
      answers.push_back(conversation->Say(line, [](std::string_view) { return true; })->text);
    }
    return answers;
  }

  std::unique_ptr<LanguageModel> model_ = SmallModel("gpt2");
  Tokenizer tokenizer_ = TestTokenizer();
};

TEST_F(ChatTest, APipeGetsTheAnswersAndNothingElse) {
  const std::vector<std::string> answers = Answers({"one", "", "two\nthree", "/four"});
  for (const std::string in : {"one\n\ntwo\\\nthree\n//four\n", "one\r\n\r\ntwo\\\r\nthree\r\n//four",
                               "one\n\ntwo\\\nthree\n//four\n/exit\nmore\n"}) {
    std::string out;
    EXPECT_TRUE(Talk(in, &out).ok());
    EXPECT_EQ(out, answers[0] + "\n" + answers[1] + "\n" + answers[2] + "\n" + answers[3] + "\n");
  }
  std::string nothing;
  EXPECT_TRUE(Talk("", &nothing).ok());
  EXPECT_EQ(nothing, "");
}

TEST_F(ChatTest, CommandsWorkInAPipe) {
  std::string out;
  EXPECT_TRUE(Talk("one\n/undo\n/text\ntwo\n/reset\n/text\n/help\n", &out).ok());
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n') >= 4, true) << out;
  std::string text;
  EXPECT_TRUE(Talk("one\n/text\n", &text).ok());
  const std::string answer = Answers({"one"})[0];
  EXPECT_EQ(text, answer + "\none" + answer + "\n");
}

TEST_F(ChatTest, JsonSaysHowToGetTheAnswerAgain) {
  std::string out;
  ASSERT_TRUE(Talk("one\n/retry\ntwo\n", &out, false, true).ok());
  std::vector<Json> lines;
  for (size_t at = 0; at < out.size();) {
    const size_t end = out.find('\n', at);
    lines.push_back(*ParseJson(out.substr(at, end - at), "line"));
    at = end + 1;
  }
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[1]["prompt"], "one");
  EXPECT_EQ(lines[1]["prompt_ids"], lines[0]["prompt_ids"]);
  EXPECT_EQ(lines[2]["seed"], 7);
  EXPECT_EQ(lines[2]["finish_reason"], "length");
  EXPECT_EQ(lines[2]["usage"]["prompt_tokens"], lines[2]["prompt_ids"].size());
  EXPECT_EQ(lines[2]["usage"]["cached_tokens"], 3 + 6 - 1);
  EXPECT_EQ(lines[2]["usage"]["total_tokens"], lines[2]["prompt_ids"].size() + 6);
  EXPECT_EQ(lines[2]["logprobs"].size(), 6u);
}

TEST_F(ChatTest, WhatCannotBeAnsweredEndsAPipeAndNotAPerson) {
  for (const std::string bad : {"/undo", "/retyr", "\xE2\x82\xAC", "/", "x\\\n\xE2\x82\xAC"}) {
    std::string out;
    const absl::Status status = Talk(bad + "\none\n", &out);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_THAT(std::string(status.message()), HasSubstr("standard input, line ")) << bad;
    EXPECT_EQ(out, "") << bad;
    EXPECT_TRUE(Talk(bad + "\none\n", &out, true).ok()) << bad;
    EXPECT_THAT(out, HasSubstr("> " + Answers({"one"})[0])) << bad;
  }
  std::string out;
  EXPECT_THAT(std::string(Talk("one\n/retyr\n", &out).message()),
              HasSubstr("line 2: there is no command /retyr. Did you mean \"/retry\"?"));
}

TEST_F(ChatTest, APersonGetsAPromptAndLinesOfTheirOwn) {
  const std::vector<std::string> answers = Answers({"one\ntwo", "three"});
  const auto ended = [](const std::string& text) { return text.back() == '\n' ? text : text + "\n"; };
  std::string out;
  EXPECT_TRUE(Talk("one\\\ntwo\nthree\n", &out, true).ok());
  EXPECT_EQ(out, "> . " + ended(answers[0]) + "> " + ended(answers[1]) + "> \n");
}

TEST_F(ChatTest, CtrlCEndsAPersonsAnswerAndSigtermTheConversation) {
  for (const int signal : {SIGINT, SIGTERM}) {
    for (const bool interactive : {true, false}) {
      SimulateInterrupt(0);
      std::string out;
      int pieces = 0;
      const absl::Status status = Talk("one\ntwo\n", &out, interactive, false, [&](std::string_view text) {
        if (text != "> " && ++pieces == 2) SimulateInterrupt(signal);
        return absl::OkStatus();
      });
      if (interactive && signal == SIGINT) {
        EXPECT_TRUE(status.ok()) << status;
        EXPECT_EQ(std::count(out.begin(), out.end(), '>') >= 3, true) << out;
        EXPECT_FALSE(Interrupted());
      } else {
        EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
        EXPECT_LE(out.size(), 8u) << out;
      }
    }
  }
  SimulateInterrupt(SIGINT);
  std::string out;
  EXPECT_EQ(Talk("one\n", &out, true).code(), absl::StatusCode::kCancelled) << "between lines it leaves";
}

TEST_F(ChatTest, AnErrorOfStdoutEndsIt) {
  std::string out;
  const absl::Status status = Talk("one\ntwo\n", &out, true, false, [](std::string_view text) {
    return text == "> " ? absl::OkStatus() : absl::ResourceExhaustedError("full");
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(out, "> ");
}

TEST(LineReaderTest, LinesOfAnyLengthUpToALimit) {
  const std::string path = JoinPath(::testing::TempDir(), "lines.txt");
  const std::string half(100'000, 'a');
  ASSERT_TRUE(WriteFileAtomic(path, half + "\n\n" + half + std::string("\0b", 2)).ok());
  FILE* file = fopen(path.c_str(), "r");
  LineReader reader(fileno(file));
  EXPECT_EQ(**reader.Next(), half);
  EXPECT_EQ(**reader.Next(), "");
  EXPECT_EQ(**reader.Next(), half + std::string("\0b", 2));
  EXPECT_FALSE(reader.Next()->has_value());
  EXPECT_FALSE(reader.Next()->has_value());
  fclose(file);
  ASSERT_TRUE(WriteFileAtomic(path, std::string((size_t{1} << 24) + 100'000, 'a')).ok());
  file = fopen(path.c_str(), "r");
  EXPECT_EQ(LineReader(fileno(file)).Next().status().code(), absl::StatusCode::kInvalidArgument);
  fclose(file);
}

TEST(ChatTemplateTest, IsFoundByTheFoldersFiles) {
  const std::string folder = JoinPath(::testing::TempDir(), "template");
  ASSERT_TRUE(MakeFolders(folder).ok());
  const auto with = [&](const std::string& file, const std::string& text) {
    EXPECT_TRUE(WriteFileAtomic(JoinPath(folder, file), text).ok());
    return ChatTemplateFile(folder);
  };
  EXPECT_EQ(ChatTemplateFile(folder), "");
  EXPECT_EQ(with("tokenizer_config.json", "{\"bos_token\": \"<s>\", \"chat_template\": null}"), "");
  EXPECT_EQ(with("tokenizer_config.json", "[1]"), "");
  EXPECT_EQ(with("tokenizer_config.json", "{\"chat_template\": \"{{ bos_token }}\"}"), "tokenizer_config.json");
  EXPECT_EQ(with("chat_template.jinja", "{{ bos_token }}"), "chat_template.jinja");
}

}  // namespace
}  // namespace quern::cli
