#include "serve/settings.h"

#include <cstdlib>

#include "base/file.h"
#include "gtest/gtest.h"

namespace quern {
namespace {

using Values = std::map<std::string, std::string>;

SettingSources Sources(Values flags, Values environment, const std::string& env_file_text, Values config = {}) {
  SettingSources sources;
  sources.flags = std::move(flags);
  sources.config = std::move(config);
  auto kept = std::make_shared<Values>(std::move(environment));
  sources.environment = [kept](const char* name) -> const char* {
    auto it = kept->find(name);
    return it == kept->end() ? nullptr : it->second.c_str();
  };
  sources.env_file = testing::TempDir() + "/settings.env";
  EXPECT_TRUE(WriteFileAtomic(sources.env_file, env_file_text).ok());
  return sources;
}

std::string Origin(const ResolvedSettings& settings, const std::string& name) {
  for (const ResolvedSetting& setting : settings.values) {
    if (setting.name == name) return setting.origin;
  }
  return "missing";
}

TEST(Settings, FlagsBeatTheEnvironmentBeatsEnvFileBeatsConfigBeatsDefault) {
  auto settings = ResolveServeSettings(
      Sources({{"port", "1"}}, {{"PORT", "2"}, {"TOP_K", "2"}, {"HOST", ""}}, "PORT=3\nTOP_K=3\nTEMPERATURE=3\n",
              {{"port", "4"}, {"top_k", "4"}, {"temperature", "4"}, {"top_p", "0.4"}}));
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->options.port, 1);
  EXPECT_EQ(settings->options.defaults.top_k, 2);
  EXPECT_EQ(settings->options.defaults.temperature, 3);
  EXPECT_FLOAT_EQ(settings->options.defaults.top_p, 0.4f);
  EXPECT_EQ(settings->options.defaults.max_new_tokens, 128);
  EXPECT_EQ(settings->options.host, "127.0.0.1");  // an empty variable is none
  EXPECT_EQ(Origin(*settings, "port"), "flag --port");
  EXPECT_EQ(Origin(*settings, "top_k"), "environment TOP_K");
  EXPECT_NE(Origin(*settings, "temperature").find("settings.env TEMPERATURE"), std::string::npos);
  EXPECT_EQ(Origin(*settings, "top_p"), "config file");
  EXPECT_EQ(Origin(*settings, "host"), "default");
  std::string text = DescribeSettings(*settings);
  EXPECT_NE(text.find("port              1"), std::string::npos) << text;
}

TEST(Settings, EveryPinnedVariableIsRead) {
  auto settings = ResolveServeSettings(Sources({},
                                               {{"MODEL_NAME", "m"},
                                                {"DEVICE", "cuda:0"},
                                                {"HOST", "0.0.0.0"},
                                                {"PORT", "0"},
                                                {"MAX_NEW_TOKENS", "9"},
                                                {"TEMPERATURE", "0.5"},
                                                {"TOP_P", "0.9"},
                                                {"TOP_K", "7"},
                                                {"REQUEST_TIMEOUT", "1.5"}},
                                               ""));
  ASSERT_TRUE(settings.ok()) << settings.status();
  const ServeOptions& options = settings->options;
  EXPECT_EQ(options.model_name, "m");
  EXPECT_EQ(options.device, "cuda:0");
  EXPECT_EQ(options.host, "0.0.0.0");
  EXPECT_EQ(options.port, 0);
  EXPECT_EQ(options.defaults.max_new_tokens, 9);
  EXPECT_EQ(options.defaults.temperature, 0.5f);
  EXPECT_EQ(options.defaults.top_p, 0.9f);
  EXPECT_EQ(options.defaults.top_k, 7);
  EXPECT_EQ(options.request_timeout, 1.5);
}

TEST(Settings, DefaultsAreTheOptionsOwn) {
  auto defaults = ResolveServeSettings(Sources({}, {}, ""));
  ASSERT_TRUE(defaults.ok());
  for (const SettingInfo& info : ServeSettings()) {
    if (info.default_value.empty()) continue;
    auto set = ResolveServeSettings(Sources({{info.name, info.default_value}}, {}, ""));
    ASSERT_TRUE(set.ok()) << info.name;
    const ServeOptions &a = defaults->options, &b = set->options;
    EXPECT_TRUE(a.host == b.host && a.port == b.port && a.device == b.device && a.max_queue == b.max_queue &&
                a.max_running == b.max_running && a.request_timeout == b.request_timeout &&
                a.drain_timeout == b.drain_timeout && a.readiness_timeout == b.readiness_timeout &&
                a.allow_unverified == b.allow_unverified && a.defaults.max_new_tokens == b.defaults.max_new_tokens &&
                a.defaults.temperature == b.defaults.temperature && a.defaults.top_k == b.defaults.top_k &&
                a.defaults.top_p == b.defaults.top_p)
        << info.name;
  }
}

TEST(Settings, BadValuesSayWhereTheyStand) {
  for (const char* port : {"-1", "65536", "80a", "8.5", " "}) {
    auto settings = ResolveServeSettings(Sources({}, {{"PORT", port}}, ""));
    ASSERT_FALSE(settings.ok()) << port;
    EXPECT_NE(settings.status().ToString().find("environment PORT"), std::string::npos) << settings.status();
  }
  for (const char* top_p : {"0", "1.1", "nan", "x"}) {
    EXPECT_FALSE(ResolveServeSettings(Sources({{"top_p", top_p}}, {}, "")).ok()) << top_p;
  }
  EXPECT_FALSE(ResolveServeSettings(Sources({{"temperature", "inf"}}, {}, "")).ok());
  EXPECT_FALSE(ResolveServeSettings(Sources({{"request_timeout", "0"}}, {}, "")).ok());
  auto unknown = ResolveServeSettings(Sources({{"prot", "1"}}, {}, ""));
  EXPECT_NE(unknown.status().ToString().find("Did you mean \"port\""), std::string::npos) << unknown.status();
}

TEST(Settings, TheVerdictIsWaivedByFlagOnly) {
  auto settings = ResolveServeSettings(Sources({}, {{"ALLOW_UNVERIFIED", "1"}}, "ALLOW_UNVERIFIED=1\n"));
  ASSERT_TRUE(settings.ok());
  EXPECT_FALSE(settings->options.allow_unverified);
  settings = ResolveServeSettings(Sources({{"allow_unverified", ""}}, {}, ""));
  ASSERT_TRUE(settings.ok());
  EXPECT_TRUE(settings->options.allow_unverified);
}

TEST(Settings, AMissingEnvFileMattersOnlyWhenNamed) {
  SettingSources sources;
  sources.environment = [](const char*) { return nullptr; };
  sources.env_file = testing::TempDir() + "/none.env";
  EXPECT_TRUE(ResolveServeSettings(sources).ok());
  sources.env_file_given = true;
  EXPECT_EQ(ResolveServeSettings(sources).status().code(), absl::StatusCode::kNotFound);
}

TEST(Settings, MisspeltVariablesAreMentioned) {
  auto settings = ResolveServeSettings(Sources({}, {}, "MODEL_NAM=x\nDATABASE_URL=y\n"));
  ASSERT_TRUE(settings.ok());
  ASSERT_EQ(settings->warnings.size(), 1u);
  EXPECT_NE(settings->warnings[0].find("MODEL_NAME"), std::string::npos);
}

TEST(EnvFile, Values) {
  auto values = ParseEnvFile(
      "# comment\n\nA=1\n export B = two words  # note\nC='# $kept \\n'\nD=\"a\\n\\\"b\\\"\" # note\r\nE=\nF=a#b\nA=2",
      ".env");
  ASSERT_TRUE(values.ok()) << values.status();
  EXPECT_EQ(*values,
            (Values{{"A", "2"}, {"B", "two words"}, {"C", "# $kept \\n"}, {"D", "a\n\"b\""}, {"E", ""}, {"F", "a#b"}}));
}

TEST(EnvFile, ErrorsNameTheLine) {
  for (const char* bad : {"A=1\nB\n", "A=1\n=2\n", "A=1\nA B=2\n", "A=1\nB='x\n", "A=1\nB=\"x\" y\n", "A=1\n1B=2\n"}) {
    auto values = ParseEnvFile(bad, ".env");
    ASSERT_FALSE(values.ok()) << bad;
    EXPECT_NE(values.status().ToString().find(".env:2: "), std::string::npos) << values.status();
  }
}

}  // namespace
}  // namespace quern
