#include "tensor/io/safetensors.h"

#include <cstring>
#include <limits>

#include "base/file.h"
#include "base/testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tensor/io/safetensors_writer.h"

namespace quern {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SafetensorsTest : public FolderTest {
 protected:
  // A file with this header and data.
  void Put(const std::string& header, const std::string& data) const {
    std::string bytes(8, '\0');
    bytes[0] = static_cast<char>(header.size());
    bytes[1] = static_cast<char>(header.size() >> 8);
    Write("a.safetensors", bytes + header + data);
  }

  std::string path() const { return Path("a.safetensors"); }
};

template <typename T>
std::string Bytes(std::initializer_list<T> values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), values.begin(), bytes.size());
  return bytes;
}

TEST_F(SafetensorsTest, RoundTripOfEveryDTypeAndRank) {
  const std::vector<NamedTensor> tensors = {
      {"f32", Tensor::Of({1, 2, 3, 4, 5, 6}, {2, 3})},
      {"f64", Tensor::Of(std::vector<double>{1e300, -0.0}, {2})},
      {"bf16", Tensor::Of(std::vector<BFloat16>{BFloat16(1.5f), BFloat16(-2.0f)}, {1, 2, 1})},
      {"i64", Tensor::Of(std::vector<int64_t>{INT64_MIN, INT64_MAX}, {2})},
      {"i32", Tensor::Of(std::vector<int32_t>{-1}, {1, 1, 1, 1, 1, 1})},
      {"i8", Tensor::Of(std::vector<int8_t>{-128, 127, 0}, {3})},
      {"u8", Tensor::Of(std::vector<uint8_t>{255}, {1})},
      {"scalar", Tensor::Of({7}, Shape())},
      {"empty", Tensor::Of(std::vector<float>{}, {3, 0})},
      {"name with \"quotes\", \n and é", Tensor::Of({1}, {1})},
  };
  ASSERT_TRUE(WriteSafetensors(path(), tensors, {{"format", "pt"}, {"a", "é"}}).ok());
  const SafetensorsFile file = SafetensorsFile::Open(path()).value();
  EXPECT_EQ(file.names().size(), tensors.size());
  EXPECT_EQ(file.metadata(), (SafetensorsMetadata{{"format", "pt"}, {"a", "é"}}));
  for (const NamedTensor& named : tensors) {
    const Tensor read = file.Find(named.name).value();
    EXPECT_EQ(read.dtype(), named.tensor.dtype()) << named.name;
    EXPECT_EQ(read.shape(), named.tensor.shape()) << named.name;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(read.raw()) % static_cast<uintptr_t>(SizeOf(read.dtype())), 0u) << named.name;
    EXPECT_EQ(std::memcmp(read.raw(), named.tensor.raw(), static_cast<size_t>(read.bytes())), 0) << named.name;
    EXPECT_TRUE(read.storage().read_only()) << named.name;
  }
}

TEST_F(SafetensorsTest, EqualTensorsGiveEqualBytes) {
  const Tensor x = Tensor::Of({1, 2, 3, 4}, {2, 2}), y = Tensor::Of(std::vector<int64_t>{5}, {1});
  ASSERT_TRUE(WriteSafetensors(path(), {{"b", x}, {"a", x}, {"n", y}}).ok());
  const std::string bytes = ReadFile(path()).value();
  const std::string other = Path("other");
  ASSERT_TRUE(WriteSafetensors(other, {{"n", y}, {"a", x.Clone()}, {"b", x}}).ok());
  EXPECT_EQ(ReadFile(other).value(), bytes);
  // Strided tensors are written as they read.
  ASSERT_TRUE(
      WriteSafetensors(other, {{"n", y}, {"b", x.Transpose(0, 1).Contiguous().Transpose(0, 1)}, {"a", x}}).ok());
  EXPECT_EQ(ReadFile(other).value(), bytes);
  const std::string header =
      R"({"n":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[8,24]},)"
      R"("b":{"dtype":"F32","shape":[2,2],"data_offsets":[24,40]}})";
  EXPECT_EQ(bytes.substr(8, header.size()), header);
  EXPECT_EQ((bytes.size() - 40) % 8, 0u);
}

TEST_F(SafetensorsTest, ViewsOutliveTheFileObject) {
  ASSERT_TRUE(WriteSafetensors(path(), {{"x", Tensor::Of({1, 2, 3}, {3})}}).ok());
  Tensor x;
  { x = SafetensorsFile::Open(path()).value().Find("x").value(); }
  ASSERT_TRUE(RemoveAll(path()).ok());
  EXPECT_THAT(x.ToVector<float>(), ElementsAre(1, 2, 3));
  EXPECT_DEATH(x.mutable_data<float>(), "read-only");
}

TEST_F(SafetensorsTest, AWrongNameSuggestsTheRightOne) {
  ASSERT_TRUE(WriteSafetensors(path(), {{"transformer.wte.weight", Tensor::Of({1}, {1})}}).ok());
  const SafetensorsFile file = SafetensorsFile::Open(path()).value();
  const absl::Status status = file.Find("transformer.wte.wieght").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("Did you mean \"transformer.wte.weight\"?"));
  EXPECT_THAT(std::string(status.message()), HasSubstr(path()));
  EXPECT_EQ(file.FindAs("x", DType::kF32).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(file.entry("x"), nullptr);
}

TEST_F(SafetensorsTest, HalfPrecisionIsConvertedOnRequest) {
  Put(R"({"h":{"dtype":"F16","shape":[2,2],"data_offsets":[0,8]}})", Bytes<uint16_t>({0x3c00, 0x3555, 0x7c00, 0x0001}));
  const SafetensorsFile file = SafetensorsFile::Open(path()).value();
  EXPECT_EQ(file.entry("h")->dtype->name, "F16");
  EXPECT_THAT(std::string(file.Find("h").status().message()), HasSubstr("tensor \"h\" is F16"));
  const Tensor wide = file.FindAs("h", DType::kF32).value();
  EXPECT_EQ(wide.shape(), Shape({2, 2}));
  EXPECT_THAT(wide.ToVector<float>(),
              ElementsAre(1.0f, HalfToFloat(0x3555), std::numeric_limits<float>::infinity(), 0x1p-24f));
  const Tensor narrow = file.FindAs("h", DType::kBF16).value();
  EXPECT_EQ(static_cast<float>(narrow.data<BFloat16>()[1]), static_cast<float>(BFloat16(HalfToFloat(0x3555))));
}

TEST_F(SafetensorsTest, OtherConversions) {
  // 1 + 2^-8 + 2^-40 lies just above the middle of two bf16 neighbours, and rounds to the middle itself in f32.
  ASSERT_TRUE(
      WriteSafetensors(path(), {{"f32", Tensor::Of({1.00390625f, 3e38f}, {2})},
                                {"f64", Tensor::Of(std::vector<double>{1 + 0x1p-8 + 0x1p-40, 1 + 0x1p-8, 1e300}, {3})},
                                {"bf16", Tensor::Of(std::vector<BFloat16>{BFloat16(2.5f)}, {1})},
                                {"i32", Tensor::Of(std::vector<int32_t>{1}, {1})}})
          .ok());
  const SafetensorsFile file = SafetensorsFile::Open(path()).value();
  auto bf16 = [&](const char* name) {
    std::vector<float> values;
    const Tensor tensor = file.FindAs(name, DType::kBF16).value();
    for (int64_t i = 0; i < tensor.elements(); ++i) values.push_back(static_cast<float>(tensor.data<BFloat16>()[i]));
    return values;
  };
  EXPECT_THAT(bf16("f32"), ElementsAre(1.0f, static_cast<float>(BFloat16(3e38f))));
  EXPECT_THAT(bf16("f64"), ElementsAre(1.0078125f, 1.0f, std::numeric_limits<float>::infinity()));
  EXPECT_THAT(file.FindAs("bf16", DType::kF32).value().ToVector<float>(), ElementsAre(2.5f));
  EXPECT_TRUE(file.FindAs("bf16", DType::kBF16).value().storage().read_only()) << "the same dtype is a view";
  EXPECT_THAT(std::string(file.FindAs("i32", DType::kF32).status().message()),
              HasSubstr("expected a floating-point type"));
}

TEST_F(SafetensorsTest, UnalignedDataIsCopied) {
  const std::string header = R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  for (size_t pad = 0; pad < 8; ++pad) {
    Put(header + std::string(pad, ' '), Bytes<float>({1.5f, -2.0f}));
    const Tensor x = SafetensorsFile::Open(path()).value().Find("x").value();
    EXPECT_EQ(reinterpret_cast<uintptr_t>(x.data<float>()) % alignof(float), 0u);
    EXPECT_EQ(x.storage().read_only(), (8 + header.size() + pad) % 4 == 0);
    EXPECT_THAT(x.ToVector<float>(), ElementsAre(1.5f, -2.0f));
  }
}

TEST_F(SafetensorsTest, WritesHalfPrecision) {
  SafetensorsWriter writer =
      SafetensorsWriter::Create(path(), {{"h", FindFileDType("F16"), {3}}, {"x", FindFileDType("F32"), {1}}}).value();
  ASSERT_EQ(writer.order()[0].name, "x") << "wider first";
  ASSERT_TRUE(writer.Append("x", Tensor::Of({9}, {1})).ok());
  ASSERT_TRUE(writer.Append("h", Tensor::Of({1.0f, 65504.0f, 1e6f}, {3})).ok());
  ASSERT_TRUE(writer.Commit().ok());
  const SafetensorsFile file = SafetensorsFile::Open(path()).value();
  EXPECT_THAT(file.FindAs("h", DType::kF32).value().ToVector<float>(),
              ElementsAre(1.0f, 65504.0f, std::numeric_limits<float>::infinity()));
}

TEST_F(SafetensorsTest, RefusesNamesThatCannotBeWritten) {
  const Tensor x = Tensor::Of({1}, {1});
  EXPECT_THAT(std::string(WriteSafetensors(path(), {{"a", x}, {"a", x}}).message()),
              HasSubstr("two tensors are named \"a\""));
  EXPECT_THAT(std::string(WriteSafetensors(path(), {{"__metadata__", x}}).message()),
              HasSubstr("cannot name a tensor"));
  EXPECT_THAT(std::string(WriteSafetensors(path(), {{"\xff", x}}).message()), HasSubstr("not UTF-8"));
  EXPECT_THAT(std::string(WriteSafetensors(path(), {{"a", x}}, {{"k", "\xff"}}).message()), HasSubstr("not UTF-8"));
  EXPECT_THAT(ListFolder(folder()).value(), ::testing::IsEmpty());
}

TEST_F(SafetensorsTest, NoTensorsAtAll) {
  ASSERT_TRUE(WriteSafetensors(path(), {}).ok());
  EXPECT_TRUE(SafetensorsFile::Open(path()).value().names().empty());
}

// Files by others: what is written from what was read reads the same, and is the same bytes where the file's writer
// sorted as the format's own does today (tiny_random_gpt2's did not).
TEST_F(SafetensorsTest, Fixtures) {
  const std::string fixtures = FixturesFolder();
  if (fixtures.empty()) GTEST_SKIP() << kNoFixtures;
  for (const char* name : {"weights/tiny_random_gpt2.safetensors", "weights/reverse_model_2layer.safetensors"}) {
    const SafetensorsFile file = SafetensorsFile::Open(JoinPath(fixtures, name)).value();
    std::vector<NamedTensor> tensors;
    for (const std::string& tensor : file.names()) tensors.push_back({tensor, file.Find(tensor).value()});
    EXPECT_GT(tensors.size(), 20u) << name;
    ASSERT_TRUE(WriteSafetensors(path(), tensors, file.metadata()).ok());
    const SafetensorsFile again = SafetensorsFile::Open(path()).value();
    EXPECT_EQ(again.names(), file.names());
    EXPECT_EQ(again.metadata(), file.metadata());
    for (const NamedTensor& named : tensors) {
      const Tensor read = again.Find(named.name).value();
      ASSERT_EQ(read.shape(), named.tensor.shape());
      EXPECT_EQ(std::memcmp(read.raw(), named.tensor.raw(), static_cast<size_t>(read.bytes())), 0) << named.name;
    }
  }
  EXPECT_TRUE(ReadFile(path()).value() ==
              ReadFile(JoinPath(fixtures, "weights/reverse_model_2layer.safetensors")).value());
}

}  // namespace
}  // namespace quern
