// Protobuf text files and `a.b=value`: how configs reach messages.
#ifndef QUERN_CLI_CONFIG_TEXT_H_
#define QUERN_CLI_CONFIG_TEXT_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace google::protobuf {
class Descriptor;
class FieldDescriptor;
class Message;
}  // namespace google::protobuf

namespace quern::cli {

// Reads the text file at `path` into `message`, whatever that held. Errors: those of ReadFile; InvalidArgument
// "PATH:LINE:COLUMN: what", which suggests the nearest field for a misspelt one.
absl::Status ReadConfigText(const std::string& path, google::protobuf::Message* message);

// "model.gpt2.n_layer=6": the sub-messages on the way are made. InvalidArgument names what does not fit: a field that
// there is not (the nearest is suggested), a value of another type.
absl::Status SetField(google::protobuf::Message* message, const std::string& assignment);

// Sets one scalar field, not repeated, from text: "0.95", "true", "cosine".
absl::Status SetScalar(google::protobuf::Message* message, const google::protobuf::FieldDescriptor* field,
                       const std::string& value);
// The text of a scalar field: what SetScalar takes; the default where it is not set.
std::string ScalarText(const google::protobuf::Message& message, const google::protobuf::FieldDescriptor* field);

std::vector<std::string> FieldNames(const google::protobuf::Descriptor* descriptor);

}  // namespace quern::cli

#endif  // QUERN_CLI_CONFIG_TEXT_H_
