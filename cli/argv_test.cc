#include "cli/argv.h"

#include "cli/exit_status.h"
#include "gtest/gtest.h"

namespace quern::cli {
namespace {

using Strings = std::vector<std::string>;

const std::vector<FlagShape> kFlags = {{"help", ""}, {"input_file", "F"}, {"lower", ""}, {"seed", "N"}, {"stop", "S"}};

Strings Normalized(const Strings& args) {
  absl::StatusOr<Strings> pairs = NormalizeFlags(args, kFlags);
  return pairs.ok() ? *pairs : Strings{"error", std::string(pairs.status().message())};
}

TEST(ArgvTest, EveryFlagBecomesANameAndAValue) {
  EXPECT_EQ(Normalized({}), Strings{});
  EXPECT_EQ(Normalized({"--input_file", "a.txt"}), (Strings{"--input_file", "a.txt"}));
  EXPECT_EQ(Normalized({"--input_file=a.txt"}), (Strings{"--input_file", "a.txt"}));
  EXPECT_EQ(Normalized({"--lower"}), (Strings{"--lower", "true"}));
  EXPECT_EQ(Normalized({"--lower=false"}), (Strings{"--lower", "false"}));
  EXPECT_EQ(Normalized({"-h"}), (Strings{"--help", "true"}));
}

TEST(ArgvTest, DashesAndUnderscoresAreEqualInNamesOnly) {
  EXPECT_EQ(Normalized({"--input-file", "a-b_c"}), (Strings{"--input_file", "a-b_c"}));
  EXPECT_EQ(Normalized({"--input-file=a-b=c"}), (Strings{"--input_file", "a-b=c"}));
}

TEST(ArgvTest, PositionalsStandBehindTheFlags) {
  EXPECT_EQ(Normalized({"model", "--lower", "x"}), (Strings{"--lower", "true", "--", "model", "x"}));
  EXPECT_EQ(Normalized({"--lower", "--", "--seed"}), (Strings{"--lower", "true", "--", "--seed"}));
  EXPECT_EQ(Normalized({"-5"}), (Strings{"--", "-5"}));
  EXPECT_EQ(Normalized({"-"}), (Strings{"--", "-"}));
}

TEST(ArgvTest, ValuesMayLookOdd) {
  EXPECT_EQ(Normalized({"--stop", ""}), (Strings{"--stop", ""}));
  EXPECT_EQ(Normalized({"--stop="}), (Strings{"--stop", ""}));
  EXPECT_EQ(Normalized({"--stop", "{}"}), (Strings{"--stop", "{}"}));
  EXPECT_EQ(Normalized({"--seed", "-1"}), (Strings{"--seed", "-1"}));
  EXPECT_EQ(Normalized({"--stop", "--- not a flag"}), (Strings{"--stop", "--- not a flag"}));
  EXPECT_EQ(Normalized({"--stop=--lower"}), (Strings{"--stop", "--lower"}));
}

TEST(ArgvTest, MistakesAreUsageErrorsThatHelp) {
  const struct {
    Strings args;
    const char* message;
  } cases[] = {
      {{"--inptu_file", "a"}, "unknown flag --inptu_file. Did you mean --input_file?"},
      {{"--input-fle=a"}, "unknown flag --input-fle. Did you mean --input_file?"},
      {{"--zebra"}, "unknown flag --zebra."},
      {{"-seed", "1"}, "unknown flag -seed. Did you mean --seed?"},
      {{"--seed"}, "--seed needs a value: --seed N"},
      {{"--input_file", "--lower"}, "--input_file needs a value, but the flag --lower follows"},
      {{"--input_file", "--"}, "--input_file needs a value"},
  };
  for (const auto& test : cases) {
    const absl::StatusOr<Strings> pairs = NormalizeFlags(test.args, kFlags);
    ASSERT_FALSE(pairs.ok()) << test.message;
    EXPECT_EQ(ExitStatus(pairs.status()), kUsage);
    EXPECT_EQ(std::string(pairs.status().message()).substr(0, std::string(test.message).size()), test.message);
  }
}

TEST(ArgvTest, FlagsBeforeTheVerbGoBehindIt) {
  EXPECT_EQ(VerbFirst({"--seed", "2", "prepare", "--lower"}, kFlags), (Strings{"prepare", "--lower", "--seed", "2"}));
  EXPECT_EQ(VerbFirst({"--lower", "tokenizer", "train", "--", "x"}, kFlags),
            (Strings{"tokenizer", "train", "--lower", "--", "x"}));
  EXPECT_EQ(VerbFirst({"--seed=2", "prepare"}, kFlags), (Strings{"prepare", "--seed=2"}));
  EXPECT_EQ(VerbFirst({"prepare", "--seed", "2"}, kFlags), (Strings{"prepare", "--seed", "2"}));
  EXPECT_EQ(VerbFirst({"--help"}, kFlags), (Strings{"--help"}));
  EXPECT_EQ(VerbFirst({}, kFlags), Strings{});
}

}  // namespace
}  // namespace quern::cli
