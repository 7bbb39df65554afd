#include "base/sha256.h"

#include <openssl/evp.h>

#include "base/file.h"
#include "base/log.h"
#include "base/status_macros.h"

namespace quern {

struct Sha256Hasher::Impl {
  // Fetched once: digests of many short texts would spend their time on looking it up.
  EVP_MD* sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  EVP_MD_CTX* context = EVP_MD_CTX_new();

  Impl() { Start(); }
  ~Impl() {
    EVP_MD_CTX_free(context);
    EVP_MD_free(sha256);
  }
  void Start() { CHECK_EQ(EVP_DigestInit_ex2(context, sha256, nullptr), 1) << "OpenSSL has no SHA-256"; }
};

Sha256Hasher::Sha256Hasher() : impl_(std::make_unique<Impl>()) {}
Sha256Hasher::~Sha256Hasher() = default;

void Sha256Hasher::Update(std::string_view bytes) {
  CHECK_EQ(EVP_DigestUpdate(impl_->context, bytes.data(), bytes.size()), 1);
}

std::array<uint8_t, 32> Sha256Hasher::FinishBytes() {
  std::array<uint8_t, 32> digest;
  CHECK_EQ(EVP_DigestFinal_ex(impl_->context, digest.data(), nullptr), 1);
  impl_->Start();
  return digest;
}

std::string Sha256Hasher::Finish() {
  constexpr char kHex[] = "0123456789abcdef";
  std::string hex;
  for (uint8_t byte : FinishBytes()) {
    hex += kHex[byte >> 4];
    hex += kHex[byte & 15];
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
