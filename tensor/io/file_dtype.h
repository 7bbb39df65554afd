// Element types as safetensors files name them. A file may hold more types than tensors have (tensor/dtype.h): those
// can be listed, and F16 can be converted; the rest cannot be loaded.
#ifndef QUERN_TENSOR_IO_FILE_DTYPE_H_
#define QUERN_TENSOR_IO_FILE_DTYPE_H_

#include <bit>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string_view>

#include "tensor/dtype.h"

namespace quern {

struct FileDType {
  std::string_view name;  // as in the file: "F32"
  int64_t size;           // bytes of an element
  std::optional<DType> dtype;
};

// In the order that the format's own writer sorts by, last first: what needs the widest alignment comes first in a
// file.
inline constexpr FileDType kFileDTypes[] = {
    {"BOOL", 1, std::nullopt},    {"U8", 1, DType::kU8},    {"I8", 1, DType::kI8},    {"F8_E5M2", 1, std::nullopt},
    {"F8_E4M3", 1, std::nullopt}, {"I16", 2, std::nullopt}, {"U16", 2, std::nullopt}, {"F16", 2, std::nullopt},
    {"BF16", 2, DType::kBF16},    {"I32", 4, DType::kI32},  {"U32", 4, std::nullopt}, {"F32", 4, DType::kF32},
    {"F64", 8, DType::kF64},      {"I64", 8, DType::kI64},  {"U64", 8, std::nullopt},
};

// Null for a name that the format does not have.
constexpr const FileDType* FindFileDType(std::string_view name) {
  for (const FileDType& type : kFileDTypes) {
    if (type.name == name) return &type;
  }
  return nullptr;
}

constexpr const FileDType& FileDTypeOf(DType dtype) {
  for (const FileDType& type : kFileDTypes) {
    if (type.dtype == dtype) return type;
  }
  return kFileDTypes[0];  // not reached: every DType is in the table (file_dtype_test)
}

// IEEE 754 binary16, exact.
inline float HalfToFloat(uint16_t half) {
  const uint32_t sign = uint32_t{half & 0x8000u} << 16, exponent = (half >> 10) & 31u, mantissa = half & 0x3ffu;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | mantissa << 13);
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
  const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;  // zero and denormals
  return sign != 0 ? -magnitude : magnitude;
}

// Round to nearest, ties to even; beyond 65504 + half a step becomes infinity; NaN stays NaN (quiet).
inline uint16_t FloatToHalf(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint16_t sign = static_cast<uint16_t>((bits >> 16) & 0x8000u);
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u | ((bits >> 13) & 0x3ffu));
  if (magnitude >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);
  if (magnitude < 0x38800000u) {
    // Below 2^-14: adding 0.5 leaves the denormal's bits, rounded by the addition, at the end of the sum.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3f000000u));
  }
  const uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u) - (112u << 23);
  return static_cast<uint16_t>(sign | rounded >> 13);
}

}  // namespace quern

#endif  // QUERN_TENSOR_IO_FILE_DTYPE_H_
