#include "serve/generate_request.h"

#include "base/file.h"
#include "base/json.h"
#include "base/testing.h"
#include "gtest/gtest.h"

namespace quern {
namespace {

GenerateRequest Read(const std::string& body) {
  GenerateRequest request;
  auto error = ReadGenerateRequest(body, {}, request);
  EXPECT_FALSE(error.has_value()) << body << ": " << error->message;
  return request;
}

HttpError Refused(const std::string& body) {
  GenerateRequest request;
  auto error = ReadGenerateRequest(body, {}, request);
  EXPECT_TRUE(error.has_value()) << body;
  return error.value_or(HttpError{});
}

TEST(GenerateRequest, ReadsEveryField) {
  GenerateRequest request = Read(R"({"prompt": "a", "max_new_tokens": 5, "temperature": 0.5, "top_k": 3, "top_p": 0.25,
                                     "seed": 9007199254740993, "stop": ["x", "yz"], "stream": true,
                                     "logprobs": true})");
  EXPECT_EQ(request.prompt, "a");
  EXPECT_EQ(request.max_new_tokens, 5);
  EXPECT_EQ(request.sampling.temperature, 0.5f);
  EXPECT_EQ(request.sampling.top_k, 3);
  EXPECT_EQ(request.sampling.top_p, 0.25f);
  EXPECT_EQ(request.sampling.seed, 9007199254740993u);
  EXPECT_EQ(request.stop, (std::vector<std::string>{"x", "yz"}));
  EXPECT_TRUE(request.stream);
  EXPECT_TRUE(request.logprobs);
}

TEST(GenerateRequest, DefaultsAndNull) {
  GenerateDefaults defaults;
  defaults.temperature = 0.7f;
  defaults.top_k = 4;
  GenerateRequest request;
  ASSERT_FALSE(ReadGenerateRequest(R"({"prompt": "", "temperature": null, "stop": null, "seed": null,
                                       "max_new_tokens": null, "stream": null})",
                                   defaults, request));
  EXPECT_EQ(request.sampling.temperature, 0.7f);
  EXPECT_EQ(request.sampling.top_k, 4);
  EXPECT_EQ(request.max_new_tokens, std::nullopt);
  EXPECT_LT(request.sampling.seed, uint64_t{1} << 53);
  EXPECT_FALSE(request.stream);
  EXPECT_FALSE(request.logprobs);
  EXPECT_EQ(Read(R"({"prompt": "a", "stop": "one"})").stop, std::vector<std::string>{"one"});
  EXPECT_EQ(Read(R"({"prompt": "a", "max_new_tokens": 1e1})").max_new_tokens, 10);
}

TEST(GenerateRequest, NamesTheFieldThatIsWrong) {
  const std::pair<const char*, const char*> kCases[] = {
      {"prompt", R"({})"},
      {"prompt", R"({"prompt": null})"},
      {"prompt", R"({"prompt": 1})"},
      {"prompt", R"({"prompt": ["a"]})"},
      {"max_new_tokens", R"({"prompt": "a", "max_new_tokens": 0})"},
      {"max_new_tokens", R"({"prompt": "a", "max_new_tokens": -1})"},
      {"max_new_tokens", R"({"prompt": "a", "max_new_tokens": 1.5})"},
      {"max_new_tokens", R"({"prompt": "a", "max_new_tokens": 2147483648})"},
      {"max_new_tokens", R"({"prompt": "a", "max_new_tokens": 1e300})"},
      {"max_new_tokens", R"({"prompt": "a", "max_new_tokens": "5"})"},
      {"temperature", R"({"prompt": "a", "temperature": -0.1})"},
      {"temperature", R"({"prompt": "a", "temperature": 101})"},
      {"temperature", R"({"prompt": "a", "temperature": true})"},
      {"top_p", R"({"prompt": "a", "top_p": 0})"},
      {"top_p", R"({"prompt": "a", "top_p": 1.01})"},
      {"top_k", R"({"prompt": "a", "top_k": -1})"},
      {"top_k", R"({"prompt": "a", "top_k": 0.5})"},
      {"seed", R"({"prompt": "a", "seed": -1})"},
      {"seed", R"({"prompt": "a", "seed": 18446744073709551616})"},
      {"seed", R"({"prompt": "a", "seed": "x"})"},
      {"stop", R"({"prompt": "a", "stop": ""})"},
      {"stop", R"({"prompt": "a", "stop": [""]})"},
      {"stop", R"({"prompt": "a", "stop": [1]})"},
      {"stop", R"({"prompt": "a", "stop": {}})"},
      {"stop",
       R"({"prompt": "a", "stop": ["1","2","3","4","5","6","7","8","9","10","11","12","13","14","15","16","17"]})"},
      {"stream", R"({"prompt": "a", "stream": 1})"},
      {"stream", R"({"prompt": "a", "stream": "true"})"},
      {"logprobs", R"({"prompt": "a", "logprobs": 5})"},
  };
  for (const auto& c : kCases) {
    HttpError error = Refused(c.second);
    EXPECT_EQ(error.status, 422) << c.second;
    EXPECT_EQ(error.field, c.first) << c.second;
    EXPECT_NE(error.message.find(c.first), std::string::npos) << error.message;
  }
}

TEST(GenerateRequest, UnknownFieldsSuggestTheNearest) {
  HttpError error = Refused(R"({"prompt": "a", "temprature": 1})");
  EXPECT_EQ(error.status, 422);
  EXPECT_EQ(error.field, "temprature");
  EXPECT_NE(error.message.find("Did you mean \"temperature\"?"), std::string::npos) << error.message;
}

TEST(GenerateRequest, TinyTopPStaysPositive) {
  EXPECT_GT(Read(R"({"prompt": "a", "top_p": 1e-300})").sampling.top_p, 0);
}

TEST(GenerateRequest, WhatIsNotJsonIs400) {
  for (const char* body : {"", " ", "{", "{'prompt': 'a'}", R"({"prompt": "a"} x)", R"({"prompt": "a",})", "\xff",
                           R"({"prompt": "a", "prompt": "b"})", R"({"prompt": "\ud800"})", "prompt=a", "NaN"}) {
    EXPECT_EQ(Refused(body).status, 400) << body;
  }
  EXPECT_EQ(Refused(std::string(100000, '[')).status, 400);
  for (const char* body : {"[]", "1", "null", "\"a\"", "true"}) EXPECT_EQ(Refused(body).status, 422) << body;
}

// Each of the reference's JSON texts, as a body and as the value of each field: an answer, never more.
TEST(GenerateRequest, OutsideJson) {
  const std::string fixtures = FixturesFolder();
  if (fixtures.empty()) GTEST_SKIP() << kNoFixtures;
  const std::string folder = JoinPath(fixtures, "negative/json");
  auto names = ListFolder(folder);
  ASSERT_TRUE(names.ok()) << names.status();
  ASSERT_GT(names->size(), 300u);
  for (const std::string& name : *names) {
    auto text = ReadFile(JoinPath(folder, name));
    ASSERT_TRUE(text.ok());
    GenerateRequest request;
    auto error = ReadGenerateRequest(*text, {}, request);
    ASSERT_TRUE(error.has_value()) << name;  // none of them has a prompt
    EXPECT_TRUE(error->status == 400 || error->status == 422) << name << " " << error->status;
    EXPECT_TRUE(name[0] != 'n' || error->status == 400) << name;
    const bool twice = name.find("duplicated") != std::string::npos;
    EXPECT_TRUE(name[0] != 'y' || twice || error->status == 422) << name;
    for (const char* field : {"prompt", "max_new_tokens", "temperature", "seed", "stop", "stream"}) {
      std::string body = R"({"prompt": "a", ")" + std::string(field) + "\": " + *text + "}";
      auto inner = ReadGenerateRequest(body, {}, request);
      EXPECT_TRUE(!inner || inner->status == 400 || inner->status == 422) << name << " in " << field;
    }
  }
}

}  // namespace
}  // namespace quern
