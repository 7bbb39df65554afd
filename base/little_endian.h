// Numbers as binary files have them: the lowest byte first. The caller has checked that the bytes are there.
#ifndef QUERN_BASE_LITTLE_ENDIAN_H_
#define QUERN_BASE_LITTLE_ENDIAN_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace quern {

// The unsigned number of sizeof(T) bytes at `at`.
template <typename T>
T ReadLittleEndian(std::string_view bytes, size_t at) {
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) {
    value = static_cast<T>(value | T{static_cast<uint8_t>(bytes[at + i])} << (8 * i));
  }
  return value;
}

}  // namespace quern

#endif  // QUERN_BASE_LITTLE_ENDIAN_H_
