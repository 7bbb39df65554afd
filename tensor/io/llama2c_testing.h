// Pieces of llama2.c's checkpoints, for the tests that write small ones.
#ifndef QUERN_TENSOR_IO_LLAMA2C_TESTING_H_
#define QUERN_TENSOR_IO_LLAMA2C_TESTING_H_

#include <cstdint>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

namespace quern {

using Llama2cSizes = std::vector<int32_t>;  // dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len

template <typename T>
std::string BytesOf(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

// Weights: 0, 1, 2, ... as f32.
inline std::string CountingFloats(int64_t count) {
  std::vector<float> values(static_cast<size_t>(count));
  std::iota(values.begin(), values.end(), 0.0f);
  return BytesOf(values);
}

// What stands before the weights. Version 0 says by a negative vocab_size that the head is its own, version 1 by
// `shared`.
inline std::string Llama2cHeader0(const Llama2cSizes& sizes) { return BytesOf(sizes); }
inline std::string Llama2cHeader1(const Llama2cSizes& sizes, bool shared, int32_t version = 1) {
  std::string head = BytesOf<int32_t>({0x616b3432, version}) + BytesOf(sizes) + static_cast<char>(shared);
  head.resize(256, '\0');
  return head;
}

}  // namespace quern

#endif  // QUERN_TENSOR_IO_LLAMA2C_TESTING_H_
