#include "train/event_file.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/crc32c.h"
#include "base/file.h"
#include "base/status_macros.h"

namespace quern {
namespace {

constexpr size_t kLength = 8, kCrc = 4;
constexpr size_t kMostMessage = size_t{1} << 30;  // what protobuf reads is counted by an int

template <typename Unsigned>
std::string LittleEndian(Unsigned value) {
  std::string bytes;
  for (size_t i = 0; i < sizeof(value); ++i) bytes.push_back(static_cast<char>(value >> (8 * i)));
  return bytes;
}

template <typename Unsigned>
Unsigned FromLittleEndian(std::string_view bytes) {
  Unsigned value = 0;
  for (size_t i = sizeof(value); i-- > 0;) value = static_cast<Unsigned>(value << 8) | static_cast<uint8_t>(bytes[i]);
  return value;
}

// Takes `count` bytes and the CRC behind them off `rest`; false when they are not there or do not agree.
bool TakeChecked(std::string_view* rest, uint64_t count, std::string_view* taken) {
  if (rest->size() < kCrc || count > rest->size() - kCrc) return false;
  *taken = rest->substr(0, count);
  const std::string_view crc = rest->substr(count, kCrc);
  rest->remove_prefix(count + kCrc);
  return FromLittleEndian<uint32_t>(crc) == MaskedCrc32c(*taken);
}

}  // namespace

uint32_t MaskedCrc32c(std::string_view bytes) {
  const uint32_t crc = Crc32c(bytes);
  return ((crc >> 15) | (crc << 17)) + 0xA282EAD8u;
}

std::string EventRecord(const tensorboard::Event& event) {
  const std::string message = event.SerializeAsString();
  const std::string length = LittleEndian(static_cast<uint64_t>(message.size()));
  return absl::StrCat(length, LittleEndian(MaskedCrc32c(length)), message, LittleEndian(MaskedCrc32c(message)));
}

absl::StatusOr<EventFile> ReadEventFile(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
  EventFile file;
  std::string_view rest = bytes, length, message;
  while (TakeChecked(&rest, kLength, &length) && TakeChecked(&rest, FromLittleEndian<uint64_t>(length), &message)) {
    EventFile::Record record;
    record.begin = file.intact_bytes;
    if (message.size() > kMostMessage) break;
    if (!record.event.ParseFromArray(message.data(), static_cast<int>(message.size()))) break;
    file.intact_bytes = bytes.size() - rest.size();
    file.records.push_back(std::move(record));
  }
  if (!file.records.empty()) return file;
  return absl::InvalidArgumentError(absl::StrCat(path, ": not an event file of TensorBoard, or damaged at its start"));
}

}  // namespace quern
