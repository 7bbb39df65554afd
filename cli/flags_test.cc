#include "cli/flags.h"

#include "base/file.h"
#include "cli/exit_status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace quern::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class FlagsTest : public ::testing::Test {
 protected:
  FlagsTest() {
    flags_.Add("input_file", &input_file_, "F", "text").Required();
    flags_.Add("train_ratio", &train_ratio_, "X", "share").Range(0, 1);
    flags_.Add("steps", &steps_, "N", "steps");
    flags_.Add("batch", &batch_, "N", "sequences").Range(1);
    flags_.Add("seed", &seed_, "N", "seed");
    flags_.Add("lower", &lower_, "", "lower case");
    flags_.Add("stop", &stop_, "S", "stop text");
    flags_.Add("unit", &unit_, "U", "unit").Choices({"auto", "line"});
  }

  std::string Error(const std::vector<std::string>& args) {
    const absl::Status status = flags_.Parse(args);
    EXPECT_EQ(ExitStatus(status), kUsage) << status;
    return std::string(status.message());
  }

  std::string Write(const std::string& text) {
    const std::string path = JoinPath(::testing::TempDir(), "flags_test.txtpb");
    EXPECT_TRUE(WriteFileAtomic(path, text).ok());
    return path;
  }

  std::string ConfigError(const std::string& text) {
    const absl::Status status = flags_.ReadConfigFile(Write(text));
    EXPECT_EQ(ExitStatus(status), kInputRefused) << status;
    return std::string(status.message());
  }

  std::string input_file_, unit_ = "auto";
  double train_ratio_ = 0.8;
  int64_t steps_ = 100;
  int32_t batch_ = 8;
  uint64_t seed_ = 0;
  bool lower_ = false;
  std::vector<std::string> stop_ = {"default"};
  Flags flags_;
};

TEST_F(FlagsTest, ValuesReachTheirTargets) {
  ASSERT_TRUE(
      flags_
          .Parse({"--input-file", "a b.txt", "--train_ratio=0.5", "--steps", "1e3", "--batch", "2", "--seed",
                  "18446744073709551615", "--lower", "--stop", "{}", "--stop", "[1]", "--stop", "", "--unit", "line"})
          .ok());
  EXPECT_EQ(input_file_, "a b.txt");
  EXPECT_EQ(train_ratio_, 0.5);
  EXPECT_EQ(steps_, 1000);
  EXPECT_EQ(batch_, 2);
  EXPECT_EQ(seed_, UINT64_MAX);
  EXPECT_TRUE(lower_);
  EXPECT_THAT(stop_, ElementsAre("{}", "[1]", ""));
  EXPECT_EQ(unit_, "line");
  EXPECT_TRUE(flags_.CheckRequired().ok());
  EXPECT_TRUE(flags_.Given("lower"));
}

TEST_F(FlagsTest, ValuesMayLookLikeFlags) {
  ASSERT_TRUE(flags_.Parse({"--stop=--lower", "--stop=-x", "--stop", "--", "--unit=line"}).ok() == false);
  ASSERT_TRUE(flags_.Parse({"--stop=--lower", "--stop=-x", "--stop=--", "--unit=line"}).ok());
  EXPECT_THAT(stop_, ElementsAre("--lower", "-x", "--"));
  EXPECT_FALSE(lower_);
  EXPECT_EQ(unit_, "line");
}

TEST_F(FlagsTest, DefaultsStayAndTheLastOfEqualFlagsCounts) {
  ASSERT_TRUE(flags_.Parse({"--steps", "1", "--steps", "2"}).ok());
  EXPECT_EQ(steps_, 2);
  EXPECT_EQ(train_ratio_, 0.8);
  EXPECT_THAT(stop_, ElementsAre("default"));
  EXPECT_FALSE(flags_.Given("lower"));
}

TEST_F(FlagsTest, BadValuesAreNamed) {
  EXPECT_EQ(Error({"--steps", "abc"}), "--steps takes a whole number; got \"abc\"");
  EXPECT_EQ(Error({"--steps", "1.5"}), "--steps takes a whole number; got \"1.5\"");
  EXPECT_EQ(Error({"--steps", "99999999999999999999"}), "--steps takes a whole number; got \"99999999999999999999\"");
  EXPECT_EQ(Error({"--batch", "3000000000"}), "--batch takes a whole number; got \"3000000000\"");
  EXPECT_EQ(Error({"--batch", "0"}), "--batch takes a number of at least 1; got \"0\"");
  EXPECT_EQ(Error({"--seed", "-1"}), "--seed takes a whole number; got \"-1\"");
  EXPECT_EQ(Error({"--train_ratio", "nan"}), "--train_ratio takes a number from 0 to 1; got \"nan\"");
  EXPECT_EQ(Error({"--lower=maybe"}), "--lower takes true or false; got \"maybe\"");
  EXPECT_EQ(Error({"--unit", "lines"}), "--unit takes auto, line; got \"lines\". Did you mean \"line\"?");
  EXPECT_EQ(Error({"extra"}), "unexpected argument \"extra\"");
  EXPECT_EQ(Error({"--steps", "1", "a", "b"}), "unexpected argument \"a\"");
}

TEST_F(FlagsTest, WhatIsRequiredIsNamed) {
  ASSERT_TRUE(flags_.Parse({}).ok());
  EXPECT_EQ(flags_.CheckRequired().message(), "--input_file F is missing");
  EXPECT_EQ(ExitStatus(flags_.CheckRequired()), kUsage);
}

TEST_F(FlagsTest, APositionalIsAFlagToo) {
  std::string model;
  Flags flags;
  flags.AddPositional("model_name", &model, "M", "folder").Required();
  ASSERT_TRUE(flags.Parse({"m1"}).ok());
  EXPECT_EQ(model, "m1");
  ASSERT_TRUE(flags.Parse({"--model_name", "m2"}).ok());
  EXPECT_EQ(model, "m2");
  EXPECT_EQ(flags.Parse({"a", "b"}).message(), "unexpected argument \"b\"");
}

TEST_F(FlagsTest, APositionalVectorTakesAsManyAsAreGiven) {
  std::vector<std::string> runs;
  int32_t steps = 0;
  Flags flags;
  flags.AddPositional("run", &runs, "RUN", "folder").Required();
  flags.Add("steps", &steps, "N", "a number");
  ASSERT_TRUE(flags.Parse({"a", "--steps", "3", "b", "--", "--c"}).ok());
  EXPECT_EQ(runs, (std::vector<std::string>{"a", "b", "--c"}));
  EXPECT_EQ(steps, 3);
  Flags none;
  none.AddPositional("run", &runs, "RUN", "folder").Required();
  ASSERT_TRUE(none.Parse({}).ok());
  EXPECT_EQ(none.CheckRequired().message(), "RUN is missing");
}

TEST_F(FlagsTest, AConfigFileCountsLessThanSetAndSetLessThanAFlag) {
  ASSERT_TRUE(flags_.Parse({"--steps", "7", "--stop", "flag"}).ok());
  ASSERT_TRUE(flags_
                  .ReadConfigFile(Write("# comment\ninput_file: \"c.txt\" steps: 1 batch: 2 train_ratio: 0.1\n"
                                        "lower: true stop: \"x\" stop: \"y\" seed: 3"))
                  .ok());
  ASSERT_TRUE(flags_.Set("batch=5").ok());
  ASSERT_TRUE(flags_.Set("steps=6").ok());
  EXPECT_EQ(input_file_, "c.txt");
  EXPECT_EQ(steps_, 7);
  EXPECT_EQ(batch_, 5);
  EXPECT_EQ(train_ratio_, 0.1);
  EXPECT_EQ(seed_, 3);
  EXPECT_TRUE(lower_);
  EXPECT_THAT(stop_, ElementsAre("flag"));
  EXPECT_EQ(flags_.Find("batch")->origin(), Origin::kSet);
  EXPECT_EQ(flags_.Find("train_ratio")->origin(), Origin::kConfigFile);
  EXPECT_EQ(flags_.Find("steps")->origin(), Origin::kFlag);
}

TEST_F(FlagsTest, AConfigFileIsCheckedWithLineAndColumn) {
  EXPECT_THAT(ConfigError("steps: 1\ntrain_ratoi: 0.5\n"),
              HasSubstr(":2:12: there is no field \"train_ratoi\". Did you mean \"train_ratio\"?"));
  EXPECT_THAT(ConfigError("steps: \"x\""), HasSubstr(":1:8: "));
  EXPECT_THAT(ConfigError("steps: 1 steps: 2"), HasSubstr(":1:15: "));
  EXPECT_THAT(ConfigError("unit: \"lines\""), HasSubstr("Did you mean \"line\"?"));
  EXPECT_THAT(ConfigError("train_ratio: 7"), HasSubstr("--train_ratio takes a number from 0 to 1"));
  EXPECT_EQ(ExitStatus(flags_.ReadConfigFile("/nonexistent/x.txtpb")), kInputRefused);
}

TEST_F(FlagsTest, SetIsChecked) {
  EXPECT_EQ(ExitStatus(flags_.Set("steps")), kUsage);
  EXPECT_EQ(ExitStatus(flags_.Set("=1")), kUsage);
  EXPECT_EQ(ExitStatus(flags_.Set("steps=x")), kUsage);
  EXPECT_THAT(std::string(flags_.Set("stesp=1").message()), HasSubstr("Did you mean \"steps\"?"));
}

}  // namespace
}  // namespace quern::cli
