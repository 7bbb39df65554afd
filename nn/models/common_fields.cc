#include "nn/models/common_fields.h"

#include <string>

#include "base/log.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace quern {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

const FieldDescriptor* ArchitectureOf(const ModelConfig& config) {
  const FieldDescriptor* architecture =
      config.GetReflection()->GetOneofFieldDescriptor(config, config.GetDescriptor()->FindOneofByName("architecture"));
  CHECK(architecture != nullptr) << "ModelConfig: no architecture is set";
  return architecture;
}

const Message& Sizes(const ModelConfig& config) {
  return config.GetReflection()->GetMessage(config, ArchitectureOf(config));
}

Message& MutableSizes(ModelConfig* config) {
  return *config->GetReflection()->MutableMessage(config, ArchitectureOf(*config));
}

const FieldDescriptor* Field(const Message& sizes, const char* name, const char* other_name = nullptr) {
  const FieldDescriptor* field = sizes.GetDescriptor()->FindFieldByName(name);
  if (field == nullptr && other_name != nullptr) field = sizes.GetDescriptor()->FindFieldByName(other_name);
  CHECK(field != nullptr) << sizes.GetDescriptor()->name() << ": needs a field `" << name << "`"
                          << (other_name == nullptr ? "" : std::string(" or `") + other_name + "`");
  return field;
}

const FieldDescriptor* Positions(const Message& sizes) {
  return Field(sizes, "n_positions", "max_position_embeddings");
}

int64_t Read(const Message& sizes, const FieldDescriptor* field) {
  return sizes.GetReflection()->GetInt32(sizes, field);
}

void Fill(Message& sizes, const FieldDescriptor* field, int64_t value) {
  if (!sizes.GetReflection()->HasField(sizes, field))
    sizes.GetReflection()->SetInt32(&sizes, field, static_cast<int32_t>(value));
}

}  // namespace

int64_t VocabularyOf(const ModelConfig& config) {
  const Message& sizes = Sizes(config);
  return Read(sizes, Field(sizes, "vocab_size"));
}

int64_t PositionsOf(const ModelConfig& config) {
  const Message& sizes = Sizes(config);
  return Read(sizes, Positions(sizes));
}

bool PositionsAreOpen(const ModelConfig& config) {
  const Message& sizes = Sizes(config);
  return !sizes.GetReflection()->HasField(sizes, Positions(sizes));
}

void FillOpenFields(const CommonFields& fields, ModelConfig* config) {
  Message& sizes = MutableSizes(config);
  Fill(sizes, Field(sizes, "vocab_size"), fields.vocab_size);
  Fill(sizes, Positions(sizes), fields.positions);
  Fill(sizes, Field(sizes, "bos_token_id"), fields.bos_token_id.value_or(-1));
  Fill(sizes, Field(sizes, "eos_token_id"), fields.eos_token_id.value_or(-1));
}

void SetDropout(double p, ModelConfig* config) {
  Message& sizes = MutableSizes(config);
  int set = 0;
  for (int i = 0; i < sizes.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = sizes.GetDescriptor()->field(i);
    if (field->name() != "dropout" && !std::string_view(field->name()).ends_with("_pdrop")) continue;
    sizes.GetReflection()->SetDouble(&sizes, field, p);
    ++set;
  }
  CHECK(set > 0) << sizes.GetDescriptor()->name() << ": needs a field `dropout` or one that ends in `_pdrop`";
}

void SetInitializerRange(double range, ModelConfig* config) {
  Message& sizes = MutableSizes(config);
  const FieldDescriptor* field = Field(sizes, "initializer_range");
  sizes.GetReflection()->ClearField(&sizes, field);
  if (range > 0) sizes.GetReflection()->SetDouble(&sizes, field, range);
}

}  // namespace quern
