// Flags::ReadConfigFile: a message type is made of the flags, so that protobuf's parser checks names and types.
#include "absl/strings/numbers.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "cli/config_text.h"
#include "cli/flags.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor.pb.h"
#include "google/protobuf/dynamic_message.h"

namespace quern::cli {
namespace {

namespace pb = google::protobuf;
using Field = pb::FieldDescriptorProto;

Field::Type TypeOf(const Flag& flag) {
  if (flag.hint().empty()) return Field::TYPE_BOOL;
  double number = 0;
  switch (flag.target().index()) {
    case 0:
      return Field::TYPE_BOOL;
    case 1:
    case 2:
      return Field::TYPE_INT64;
    case 3:
      return Field::TYPE_UINT64;
    case 4:
    case 5:
      return Field::TYPE_DOUBLE;
    // Interpreted by somebody else: as the default looks.
    case 6:
    case 8:
      return absl::SimpleAtod(flag.default_text(), &number) ? Field::TYPE_DOUBLE : Field::TYPE_STRING;
    default:
      return Field::TYPE_STRING;
  }
}

// --config and --set cannot stand in a config.
bool InConfig(const Flag& flag) { return flag.name() != "config" && flag.name() != "set"; }

}  // namespace

absl::Status Flags::ReadConfigFile(const std::string& path) {
  pb::FileDescriptorProto file;
  file.set_name("flags.proto");
  pb::DescriptorProto* type = file.add_message_type();
  type->set_name("Flags");
  for (const Flag& flag : flags_) {
    if (!InConfig(flag)) continue;
    Field* field = type->add_field();
    field->set_name(flag.name());
    field->set_number(type->field_size());
    field->set_label(flag.repeated() ? Field::LABEL_REPEATED : Field::LABEL_OPTIONAL);
    field->set_type(TypeOf(flag));
  }
  pb::DescriptorPool pool;
  const pb::FileDescriptor* built = pool.BuildFile(file);
  CHECK(built != nullptr) << "the flags of a verb make a message type";
  pb::DynamicMessageFactory factory(&pool);
  std::unique_ptr<pb::Message> message(factory.GetPrototype(built->message_type(0))->New());
  RETURN_IF_ERROR(ReadConfigText(path, message.get()));
  std::vector<const pb::FieldDescriptor*> present;
  message->GetReflection()->ListFields(*message, &present);
  for (const pb::FieldDescriptor* field : present) {
    Flag* flag = Find(field->name());
    if (flag->origin() == Origin::kFlag) continue;
    const int count = field->is_repeated() ? message->GetReflection()->FieldSize(*message, field) : 1;
    for (int i = 0; i < count; ++i) {
      const absl::Status assigned =
          flag->Assign(field->is_repeated() ? message->GetReflection()->GetRepeatedString(*message, field, i)
                                            : ScalarText(*message, field),
                       Origin::kConfigFile);
      if (!assigned.ok()) return absl::InvalidArgumentError(path + ": " + std::string(assigned.message()));
    }
  }
  return absl::OkStatus();
}

}  // namespace quern::cli
