#include "nn/model_folder.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kernels/testing.h"
#include "nn/testing.h"
#include "tensor/io/safetensors_model.h"

namespace quern {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::string NewFolder(const std::string& name) {
  std::string folder = JoinPath(testing::TempDir(), "model_folder_test_" + name);
  CHECK_OK(RemoveAll(folder));
  CHECK_OK(MakeFolders(folder));
  return folder;
}

std::string Saved(LanguageModel& model, const std::string& name) {
  std::string folder = NewFolder(name);
  CHECK_OK(SaveModel(model, folder));
  return folder;
}

Tensor SomeLogits(LanguageModel& model) { return TrainLogits(model, RandomIds(80, 97, 1)); }

std::string LoadError(const std::string& folder) {
  absl::StatusOr<std::unique_ptr<LanguageModel>> model = LoadModel(folder);
  if (model.ok()) return "loaded";
  EXPECT_EQ(model.status().code(), absl::StatusCode::kInvalidArgument) << model.status().ToString();
  return std::string(model.status().message());
}

// The tensors of a model, to be tampered with.
std::vector<NamedTensor> Tensors(LanguageModel& model) {
  std::vector<NamedTensor> tensors;
  model.Visit([&](std::string_view name, Var& p) { tensors.push_back({std::string(name), p.value()}); });
  return tensors;
}

void WriteTensors(const std::string& folder, const std::vector<NamedTensor>& tensors) {
  CHECK_OK(WriteSafetensors(JoinPath(folder, "model.safetensors"), tensors));
}

void EditConfig(const std::string& folder, const std::function<void(Json&)>& edit) {
  std::string path = JoinPath(folder, "config.json");
  Json json = *ReadJsonFile(path);
  edit(json);
  CHECK_OK(WriteFileAtomic(path, WriteJson(json)));
}

class ModelFolderTest : public testing::TestWithParam<std::string> {};

TEST_P(ModelFolderTest, WhatIsSavedIsWhatIsLoaded) {
  std::unique_ptr<LanguageModel> model = SmallModel(GetParam());
  std::string folder = Saved(*model, GetParam());
  absl::StatusOr<std::unique_ptr<LanguageModel>> loaded = LoadModel(folder);
  ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
  EXPECT_TRUE(SameBits(SomeLogits(**loaded), SomeLogits(*model)));
  EXPECT_EQ(ModelConfigToJson((*loaded)->config()), ModelConfigToJson(model->config()));
  EXPECT_EQ(WeightsFile(folder), JoinPath(folder, "model.safetensors"));

  // Again from what was loaded: the same bytes.
  std::string again = Saved(**loaded, GetParam() + "_again");
  for (const char* name : {"config.json", "generation_config.json", "model.safetensors"}) {
    EXPECT_EQ(*ReadFile(JoinPath(folder, name)), *ReadFile(JoinPath(again, name))) << name;
  }
  // And into a model that has other weights.
  std::unique_ptr<LanguageModel> other = SmallModel(GetParam(), 2);
  EXPECT_FALSE(SameBits(SomeLogits(*other), SomeLogits(*model)));
  ASSERT_TRUE(LoadWeights(*other, folder).ok());
  EXPECT_TRUE(SameBits(SomeLogits(*other), SomeLogits(*model)));
  // Loaded weights are the model's own memory: they can be trained.
  (*loaded)->Visit([](std::string_view, Var& p) { p.mutable_value().mutable_data<float>()[0] += 1; });
  EXPECT_FALSE(SameBits(SomeLogits(**loaded), SomeLogits(*model)));
}

INSTANTIATE_TEST_SUITE_P(Models, ModelFolderTest, testing::ValuesIn(SmallConfigNames()),
                         [](const auto& info) { return info.param; });

TEST(LoadTest, Shards) {
  for (const char* name : {"gpt2", "llama"}) {
    std::unique_ptr<LanguageModel> model = SmallModel(name);
    std::string folder = Saved(*model, "shards");
    ASSERT_TRUE(RemoveAll(JoinPath(folder, "model.safetensors")).ok());
    ASSERT_TRUE(WriteSafetensorsModel(folder, Tensors(*model), {}, 40'000).ok());
    EXPECT_EQ(WeightsFile(folder), JoinPath(folder, "model.safetensors.index.json"));
    absl::StatusOr<std::unique_ptr<LanguageModel>> loaded = LoadModel(folder);
    ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
    EXPECT_TRUE(SameBits(SomeLogits(**loaded), SomeLogits(*model)));
    // Saving over it leaves one kind of weights.
    ASSERT_TRUE(SaveModel(**loaded, folder).ok());
    EXPECT_EQ(WeightsFile(folder), JoinPath(folder, "model.safetensors"));
    EXPECT_FALSE(FileExists(JoinPath(folder, "model.safetensors.index.json")));
  }
}

TEST(LoadTest, HalfPrecisionIsWidened) {
  std::unique_ptr<LanguageModel> model = SmallModel("gpt2");
  for (const char* dtype : {"F16", "BF16"}) {
    // The model that has exactly the rounded weights.
    std::vector<SafetensorsWriter::Spec> specs;
    std::vector<NamedTensor> tensors = Tensors(*model);
    for (const NamedTensor& named : tensors) specs.push_back({named.name, FindFileDType(dtype), named.tensor.shape()});
    std::string folder = Saved(*model, dtype);
    absl::StatusOr<SafetensorsWriter> writer = SafetensorsWriter::Create(JoinPath(folder, "model.safetensors"), specs);
    ASSERT_TRUE(writer.ok());
    std::unique_ptr<LanguageModel> rounded = SmallModel("gpt2");
    rounded->Visit([&](std::string_view, Var& p) {
      float* w = p.mutable_value().mutable_data<float>();
      for (int64_t i = 0; i < p.value().elements(); ++i) {
        w[i] = std::string(dtype) == "F16" ? HalfToFloat(FloatToHalf(w[i])) : static_cast<float>(BFloat16(w[i]));
      }
    });
    for (const auto& spec : writer->order()) {
      for (const NamedTensor& named : Tensors(*rounded)) {
        if (named.name != spec.name) continue;
        Tensor tensor = named.tensor;
        if (std::string(dtype) == "BF16") {
          tensor = Tensor::Empty(named.tensor.shape(), DType::kBF16);
          for (int64_t i = 0; i < tensor.elements(); ++i)
            tensor.mutable_data<BFloat16>()[i] = BFloat16(named.tensor.data<float>()[i]);
        }
        ASSERT_TRUE(writer->Append(spec.name, tensor).ok());
      }
    }
    ASSERT_TRUE(writer->Commit().ok());
    absl::StatusOr<std::unique_ptr<LanguageModel>> loaded = LoadModel(folder);
    ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
    EXPECT_TRUE(SameBits(SomeLogits(**loaded), SomeLogits(*rounded)));
    EXPECT_FALSE(SameBits(SomeLogits(**loaded), SomeLogits(*model)));
  }
}

TEST(LoadTest, BareModelsBuffersAndATiedHeadStoredTwice) {
  for (const char* name : {"gpt2", "qwen2"}) {
    std::unique_ptr<LanguageModel> model = SmallModel(name);
    std::string folder = Saved(*model, "bare"), prefix = std::string(name) == "gpt2" ? "transformer." : "model.";
    std::vector<NamedTensor> bare;
    for (const NamedTensor& named : Tensors(*model)) bare.push_back({named.name.substr(prefix.size()), named.tensor});
    NamedTensor head{"lm_head.weight", bare[0].tensor};
    bare.push_back(head);
    if (prefix == "transformer.") {
      bare.push_back({"h.0.attn.bias", Tensor::Zeros({1, 1, 256, 256}, DType::kU8)});
      bare.push_back({"h.1.attn.masked_bias", Tensor::Zeros({}, DType::kF32)});
    } else {
      bare.push_back({"layers.0.self_attn.rotary_emb.inv_freq", Tensor::Zeros({4}, DType::kF32)});
    }
    WriteTensors(folder, bare);
    absl::StatusOr<std::unique_ptr<LanguageModel>> loaded = LoadModel(folder);
    ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
    EXPECT_TRUE(SameBits(SomeLogits(**loaded), SomeLogits(*model)));

    // A head that differs is not tied, whatever the config says.
    bare[bare.size() - (prefix == "model." ? 2 : 3)].tensor = RandomTensor(head.tensor.shape(), 1);
    WriteTensors(folder, bare);
    EXPECT_THAT(LoadError(folder), AllOf(HasSubstr("lm_head.weight differs"), HasSubstr("tie_word_embeddings")));
  }
}

TEST(LoadTest, ABiasThatTheConfigDeniesMustBeZero) {
  std::unique_ptr<LanguageModel> model = SmallModel("gpt2_no_bias");
  std::string folder = Saved(*model, "no_bias");
  absl::StatusOr<SafetensorsFile> file = SafetensorsFile::Open(JoinPath(folder, "model.safetensors"));
  ASSERT_NE(file->entry("transformer.h.0.attn.c_attn.bias"), nullptr);
  std::vector<NamedTensor> tensors = Tensors(*model);
  tensors.push_back({"transformer.ln_f.bias", RandomTensor({48}, 1)});
  WriteTensors(folder, tensors);
  EXPECT_THAT(LoadError(folder), HasSubstr("transformer.ln_f.bias is not zero"));
  // With biases, the same file lacks the others.
  EditConfig(folder, [](Json& json) { json.erase("bias"); });
  EXPECT_THAT(LoadError(folder), AllOf(HasSubstr("missing (18)"), HasSubstr("transformer.h.2.mlp.c_proj.bias")));
}

TEST(LoadTest, ListsAllThatIsWrongAtOnceAndSuggests) {
  std::unique_ptr<LanguageModel> model = SmallModel("gpt2");
  std::string folder = Saved(*model, "wrong");
  std::vector<NamedTensor> tensors = Tensors(*model);
  tensors[3].name = "transformer.h.0.ln1.bias";
  tensors[4].tensor = RandomTensor({48, 143}, 1);
  tensors[5].tensor = Tensor::Zeros({144}, DType::kI32);
  tensors.erase(tensors.begin() + 1);
  tensors.push_back({"extra", Tensor::Zeros({1}, DType::kF32)});
  WriteTensors(folder, tensors);
  EXPECT_THAT(LoadError(folder),
              AllOf(HasSubstr("model.safetensors does not fit"),
                    HasSubstr("missing (2): transformer.wpe.weight, transformer.h.0.ln_1.bias"),
                    HasSubstr("(the file has \"transformer.h.0.ln1.bias\")"),
                    HasSubstr("unexpected (2): extra, transformer.h.0.ln1.bias"),
                    HasSubstr("transformer.h.0.attn.c_attn.weight is [48,143], the config says [48,144]"),
                    HasSubstr("transformer.h.0.attn.c_attn.bias is of dtype I32")));
  EXPECT_FALSE(LoadWeights(*model, folder).ok());
}

TEST(LoadTest, NamesBothArchitectures) {
  std::unique_ptr<LanguageModel> gpt2 = SmallModel("gpt2"), llama = SmallModel("llama");
  std::string folder = Saved(*gpt2, "architectures");
  WriteTensors(folder, Tensors(*llama));
  EXPECT_THAT(LoadError(folder), AllOf(HasSubstr("weights of llama"), HasSubstr("config says gpt2")));
  EXPECT_THAT(std::string(LoadWeights(*gpt2, folder).message()), HasSubstr("weights of llama"));
  folder = Saved(*llama, "architectures");
  WriteTensors(folder, Tensors(*gpt2));
  EXPECT_THAT(LoadError(folder), AllOf(HasSubstr("weights of gpt2"), HasSubstr("config says llama")));
  WriteTensors(folder, {{"bert.encoder.layer.0.attention.self.query.weight", Tensor::Zeros({2, 2}, DType::kF32)}});
  EXPECT_THAT(LoadError(folder), AllOf(HasSubstr("weights of bert"), HasSubstr("config says llama")));
  std::vector<NamedTensor> qwen3 = Tensors(*llama);
  qwen3.push_back({"model.layers.0.self_attn.q_norm.weight", Tensor::Zeros({8}, DType::kF32)});
  WriteTensors(folder, qwen3);
  EXPECT_THAT(LoadError(folder), HasSubstr("weights of qwen3"));
}

TEST(LoadTest, FoldersThatAreNone) {
  std::string folder = NewFolder("none");
  EXPECT_EQ(LoadModel(folder + "/nowhere").status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(LoadModel(folder).status().message()),
              AllOf(HasSubstr("has no config.json"), HasSubstr("model.safetensors")));
  std::unique_ptr<LanguageModel> model = SmallModel("gpt2");
  CHECK_OK(SaveModel(*model, folder));
  CHECK_OK(RemoveAll(JoinPath(folder, "model.safetensors")));
  EXPECT_EQ(LoadModel(folder).status().code(), absl::StatusCode::kNotFound) << LoadModel(folder).status().ToString();
}

TEST(LoadTest, TruncatedFilesAreRefused) {
  std::unique_ptr<LanguageModel> model = SmallModel("gpt2");
  std::string folder = Saved(*model, "truncated"), path = JoinPath(folder, "model.safetensors");
  std::string bytes = *ReadFile(path);
  for (size_t size : {size_t{0}, size_t{7}, size_t{8}, size_t{100}, bytes.size() / 2, bytes.size() - 1}) {
    CHECK_OK(WriteFileAtomic(path, bytes.substr(0, size)));
    EXPECT_THAT(LoadError(folder), Not(HasSubstr("loaded"))) << size;
  }
}

}  // namespace
}  // namespace quern
