// TensorBoard's event files: Event messages in TFRecord framing.
//
//   u64 length | u32 masked CRC-32C of these 8 bytes | the message | u32 masked CRC-32C of it         all little-endian
//   masked(c) = ((c >> 15) | (c << 17)) + 0xA282EAD8
//
// Sources: tensorflow/core/lib/io/record_writer.h; tensorboard/compat/proto/event.proto.
#ifndef QUERN_TRAIN_EVENT_FILE_H_
#define QUERN_TRAIN_EVENT_FILE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "train/tensorboard.pb.h"

namespace quern {

uint32_t MaskedCrc32c(std::string_view bytes);

// The bytes of one record.
std::string EventRecord(const tensorboard::Event& event);

struct EventFile {
  struct Record {
    uint64_t begin = 0;  // its first byte in the file
    tensorboard::Event event;
  };
  std::vector<Record> records;
  uint64_t intact_bytes = 0;  // less than the file's where its tail is torn or damaged
};

// All records up to the first that is torn or whose CRCs do not hold. InvalidArgument when not even the first holds.
absl::StatusOr<EventFile> ReadEventFile(const std::string& path);

}  // namespace quern

#endif  // QUERN_TRAIN_EVENT_FILE_H_
