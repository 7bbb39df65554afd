// CRC-32C (Castagnoli): polynomial 0x1EDC6F41, reflected, as in RFC 3720 (iSCSI), section 12.1, and ext4, Btrfs,
// TFRecord.
//
//   Crc32c("123456789") == 0xE3069283
#ifndef QUERN_BASE_CRC32C_H_
#define QUERN_BASE_CRC32C_H_

#include <cstdint>
#include <string_view>

namespace quern {

uint32_t Crc32c(std::string_view bytes);

}  // namespace quern

#endif  // QUERN_BASE_CRC32C_H_
