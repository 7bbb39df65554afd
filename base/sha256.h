// SHA-256 (FIPS 180-4), by OpenSSL, as 64 lower-case hexadecimal digits.
#ifndef QUERN_BASE_SHA256_H_
#define QUERN_BASE_SHA256_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace quern {

std::string Sha256(std::string_view bytes);
// Streams the regular file at `path`.
absl::StatusOr<std::string> Sha256File(const std::string& path);

class Sha256Hasher {
 public:
  Sha256Hasher();
  ~Sha256Hasher();
  void Update(std::string_view bytes);
  // The digest of what was given since the last Finish; then the hasher is as new.
  std::string Finish();
  std::array<uint8_t, 32> FinishBytes();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace quern

#endif  // QUERN_BASE_SHA256_H_
