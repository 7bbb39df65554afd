// llama2.c's checkpoints: both versions, and what is refused.
#include "tensor/io/llama2c.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tensor/io/llama2c_testing.h"

namespace quern {
namespace {

using Sizes = Llama2cSizes;
const Sizes kSmall = {4, 6, 2, 2, 1, 5, 3};

// Of kSmall: table 20, gains 8 + 8 + 4, q and o 32 each, k and v 16 each, MLP 3 * 48, rotary tables 3 + 3.
constexpr int64_t kShared = 20 + 20 + 64 + 32 + 144 + 6;

std::string Version0(Sizes sizes = kSmall, int64_t floats = kShared) {
  return Llama2cHeader0(sizes) + CountingFloats(floats);
}

std::string Version1(bool shared, Sizes sizes = kSmall, int32_t version = 1) {
  return Llama2cHeader1(sizes, shared, version) + CountingFloats(kShared - 6 + (shared ? 0 : 20));
}

absl::StatusOr<Llama2cFile> Open(const std::string& bytes) {
  const std::string path = JoinPath(testing::TempDir(), "x.bin");
  EXPECT_TRUE(WriteFileAtomic(path, bytes).ok());
  return Llama2cFile::Open(path);
}

float First(const Llama2cFile& file, std::string_view name) { return file.Get(name).data<float>()[0]; }

TEST(Llama2c, Version0) {
  auto file = Open(Version0());
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->header().version, 0);
  EXPECT_TRUE(file->header().shared_classifier);
  EXPECT_EQ(file->header().seq_len, 3);
  EXPECT_EQ(file->header().head_size(), 2);
  EXPECT_EQ(file->Get("wk").shape(), Shape({2, 2, 4}));
  EXPECT_EQ(file->Get("w2").shape(), Shape({2, 4, 6}));
  EXPECT_EQ(First(*file, "token_embedding_table"), 0);
  EXPECT_EQ(First(*file, "rms_att_weight"), 20);
  EXPECT_EQ(First(*file, "wq"), 28);
  EXPECT_EQ(First(*file, "wo"), 92);
  EXPECT_EQ(First(*file, "rms_ffn_weight"), 124);
  EXPECT_EQ(First(*file, "w3"), 228);
  EXPECT_EQ(First(*file, "rms_final_weight"), 276);
}

TEST(Llama2c, ANegativeVocabularyHasAHeadOfItsOwn) {
  Sizes sizes = kSmall;
  sizes[5] = -5;
  auto file = Open(Version0(sizes, kShared + 20));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_FALSE(file->header().shared_classifier);
  EXPECT_EQ(file->header().vocab_size, 5);
  EXPECT_EQ(First(*file, "wcls"), kShared);
}

TEST(Llama2c, Version1) {
  for (bool shared : {true, false}) {
    auto file = Open(Version1(shared));
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ(file->header().version, 1);
    EXPECT_EQ(file->header().shared_classifier, shared);
    EXPECT_EQ(First(*file, "rms_att_weight"), 0);
    EXPECT_EQ(First(*file, "rms_ffn_weight"), 8);
    EXPECT_EQ(First(*file, "rms_final_weight"), 16);
    EXPECT_EQ(First(*file, "token_embedding_table"), 20);
    EXPECT_EQ(First(*file, "wq"), 40);
    if (!shared) {
      EXPECT_EQ(First(*file, "wcls"), kShared - 6);
    }
  }
}

void Refused(const std::string& bytes, const std::string& why) {
  const absl::Status status = Open(bytes).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << why;
  EXPECT_TRUE(absl::StrContains(status.message(), why)) << why << ": " << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "x.bin")) << status;
  EXPECT_LT(status.message().size(), 600u);
}

TEST(Llama2c, EverySizeIsChecked) {
  const char* names[] = {"dim", "hidden_dim", "n_layers", "n_heads", "n_kv_heads", "vocab_size", "seq_len"};
  for (size_t i = 0; i < kSmall.size(); ++i) {
    for (int32_t value : {0, -1, INT32_MIN, INT32_MAX, (1 << 24) + 1}) {
      if (names[i] == std::string("vocab_size") && value == -1) continue;  // a head of its own
      Sizes sizes = kSmall;
      sizes[i] = value;
      Refused(Version0(sizes), absl::StrCat("its ", names[i], " is "));
      Refused(Version1(true, sizes), absl::StrCat("its ", names[i], " is "));
    }
    Sizes sizes = kSmall;
    sizes[i] = 1 << 24;
    EXPECT_FALSE(Open(Version0(sizes)).ok());
  }
  Refused(Version0({1 << 24, 1 << 24, 1 << 24, 1 << 23, 1 << 23, 1 << 24, 1 << 24}), "it is cut off");
  Refused(Version0({5, 6, 2, 2, 1, 5, 3}), "n_heads (2) does not divide its dim (5)");
  Refused(Version0({6, 6, 2, 3, 2, 5, 3}), "n_kv_heads (2) does not divide its n_heads (3)");
  Refused(Version0({6, 6, 2, 2, 1, 5, 3}), "heads are 3 wide");
  Refused(Version1(true, {4, 6, 2, 2, 1, -5, 3}), "its vocab_size is -5");
}

TEST(Llama2c, EveryPrefixIsRefusedAndEveryRest) {
  for (const std::string& whole : {Version0(), Version1(false)}) {
    for (size_t size = 0; size < whole.size(); size += size < 300 ? 1 : 37) {
      Refused(whole.substr(0, size), "it is cut off");
    }
    Refused(whole + "x", "its last 1 of");
    Refused(whole + whole, "belong to no tensor");
  }
}

TEST(Llama2c, OtherFormatsAreRefusedByName) {
  Refused(Version1(true, kSmall, 2), "version 2, whose weights are quantised");
  Refused(Version1(true, kSmall, 77), "it has version 77");
  Refused("GGUF\3\0\0\0" + std::string(200, '\0'), "is a GGUF file");
  Refused("PK\3\4" + std::string(30, '\0') + "archive/data.pkl" + std::string(200, '\0'), "PyTorch checkpoint");
  Refused("\x80\4\x95" + std::string(200, '\0'), "is a Python pickle");
  Refused("{\"model_type\": \"llama\", \"hidden_size\": 64}", "is it such a file?");
}

}  // namespace
}  // namespace quern
