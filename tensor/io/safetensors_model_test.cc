#include "tensor/io/safetensors_model.h"

#include "base/file.h"
#include "base/json.h"
#include "base/sha256.h"
#include "base/testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace quern {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kIndex[] = "model.safetensors.index.json";

class SafetensorsModelTest : public FolderTest {
 protected:
  std::string Why() const { return std::string(SafetensorsModel::Open(folder()).status().message()); }

  const std::vector<NamedTensor> tensors_ = {
      {"c", Tensor::Of({5, 6}, {2})}, {"a", Tensor::Of({1, 2}, {2})}, {"b", Tensor::Of({3, 4}, {2})}};
};

TEST_F(SafetensorsModelTest, OneFile) {
  ASSERT_TRUE(WriteSafetensorsModel(folder(), tensors_).ok());
  EXPECT_THAT(ListFolder(folder()).value(), ElementsAre("model.safetensors"));
  for (const std::string& path : {folder(), Path("model.safetensors")}) {
    const SafetensorsModel model = SafetensorsModel::Open(path).value();
    EXPECT_THAT(model.names(), ElementsAre("a", "b", "c"));
    EXPECT_EQ(model.metadata().at("format"), "pt");
    EXPECT_THAT(model.Find("b").value().ToVector<float>(), ElementsAre(3, 4));
  }
}

TEST_F(SafetensorsModelTest, Shards) {
  ASSERT_TRUE(WriteSafetensorsModel(folder(), tensors_, {}, /*max_shard_bytes=*/16).ok());
  EXPECT_THAT(ListFolder(folder()).value(),
              ElementsAre("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", kIndex));
  const Json index = ReadJsonFile(Path(kIndex)).value();
  EXPECT_EQ(index["metadata"]["total_size"], 24);
  EXPECT_EQ(index["metadata"]["sha256"]["model-00002-of-00002.safetensors"],
            Sha256File(Path("model-00002-of-00002.safetensors")).value());
  const SafetensorsModel model = SafetensorsModel::Open(folder()).value();
  EXPECT_EQ(model.files().size(), 2u);
  EXPECT_THAT(model.names(), ElementsAre("a", "b", "c"));
  for (const NamedTensor& named : tensors_) {
    EXPECT_EQ(model.Find(named.name).value().ToVector<float>(), named.tensor.ToVector<float>());
    EXPECT_EQ(model.FindAs(named.name, DType::kBF16).value().dtype(), DType::kBF16);
    EXPECT_EQ(model.entry(named.name)->shape, Shape({2}));
  }
  EXPECT_THAT(std::string(model.Find("aa").status().message()), HasSubstr("no tensor \"aa\""));
  EXPECT_EQ(model.entry("aa"), nullptr);
}

TEST_F(SafetensorsModelTest, ATensorLargerThanAShardStandsAlone) {
  ASSERT_TRUE(WriteSafetensorsModel(folder(), tensors_, {}, /*max_shard_bytes=*/1).ok());
  EXPECT_EQ(SafetensorsModel::Open(folder()).value().files().size(), 3u);
  const Tensor x = Tensor::Of({1}, {1});
  EXPECT_THAT(std::string(WriteSafetensorsModel(folder(), {{"x", x}, {"x", x}}, {}, 1).message()),
              HasSubstr("two tensors"));
}

TEST_F(SafetensorsModelTest, NothingThere) {
  EXPECT_EQ(SafetensorsModel::Open(folder()).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Why(), HasSubstr("name the folder of a model"));
  EXPECT_EQ(SafetensorsModel::Open(Path("none")).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(SafetensorsModelTest, HostileIndexes) {
  ASSERT_TRUE(WriteSafetensorsModel(folder(), tensors_, {}, /*max_shard_bytes=*/16).ok());
  const struct {
    const char *why, *index;
  } kCases[] = {
      {"not valid JSON", "{"},
      {"\"weight_map\" is missing", "{}"},
      {"\"weight_map\" is missing", "[]"},
      {"\"weight_map\" is missing", R"({"weight_map": []})"},
      {"weight_map is empty", R"({"weight_map": {}})"},
      {"duplicate key", R"({"weight_map": {"a": "x", "a": "y"}})"},
      {"\"../x.safetensors\", not a file of this folder", R"({"weight_map": {"a": "../x.safetensors"}})"},
      {"\"/etc/passwd\", not a file of this folder", R"({"weight_map": {"a": "/etc/passwd"}})"},
      {"\"sub/x\", not a file", R"({"weight_map": {"a": "sub/x"}})"},
      {"\"..\", not a file", R"({"weight_map": {"a": ".."}})"},
      {"\"\", not a file", R"({"weight_map": {"a": ""}})"},
      {"\\u0000", R"({"weight_map": {"a": "x\u0000"}})"},
      {"5, not a file", R"({"weight_map": {"a": 5}})"},
      {"No such file", R"({"weight_map": {"a": "model-00003-of-00002.safetensors"}})"},
      {"tensor \"a\" is not in model-00002-of-00002.safetensors",
       R"({"weight_map": {"a": "model-00002-of-00002.safetensors"}})"},
      {"tensor \"z\" is not in", R"({"weight_map": {"z": "model-00001-of-00002.safetensors"}})"},
  };
  for (const auto& bad : kCases) {
    ASSERT_TRUE(WriteFileAtomic(Path(kIndex), bad.index).ok());
    EXPECT_THAT(Why(), HasSubstr(bad.why));
  }
}

TEST_F(SafetensorsModelTest, ADamagedShardIsNamed) {
  ASSERT_TRUE(WriteSafetensorsModel(folder(), tensors_, {}, /*max_shard_bytes=*/16).ok());
  ASSERT_TRUE(WriteFileAtomic(Path("model-00002-of-00002.safetensors"), "short").ok());
  EXPECT_THAT(Why(), HasSubstr("model-00002-of-00002.safetensors: only 5 bytes"));
}

}  // namespace
}  // namespace quern
