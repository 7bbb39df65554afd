#include "base/sha256.h"

#include <openssl/evp.h>

#include "base/file.h"
#include "base/log.h"
#include "base/status_macros.h"

namespace quern {

struct Sha256Hasher::Impl {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  Impl() { CHECK_EQ(EVP_DigestInit_ex(context, EVP_sha256(), nullptr), 1) << "OpenSSL has no SHA-256"; }
  ~Impl() { EVP_MD_CTX_free(context); }
};

Sha256Hasher::Sha256Hasher() : impl_(std::make_unique<Impl>()) {}
Sha256Hasher::~Sha256Hasher() = default;

void Sha256Hasher::Update(std::string_view bytes) {
  CHECK_EQ(EVP_DigestUpdate(impl_->context, bytes.data(), bytes.size()), 1);
}

std::string Sha256Hasher::Finish() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  CHECK_EQ(EVP_DigestFinal_ex(impl_->context, digest, &size), 1);
  constexpr char kHex[] = "0123456789abcdef";
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) {
    hex += kHex[digest[i] >> 4];
    hex += kHex[digest[i] & 15];
  }
  return hex;
}

std::string Sha256(std::string_view bytes) {
  Sha256Hasher hasher;
  hasher.Update(bytes);
  return hasher.Finish();
}

absl::StatusOr<std::string> Sha256File(const std::string& path) {
  Sha256Hasher hasher;
  RETURN_IF_ERROR(ReadFilePieces(path, [&](std::string_view piece) { hasher.Update(piece); }));
  return hasher.Finish();
}

}  // namespace quern
