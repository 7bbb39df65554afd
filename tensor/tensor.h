// Tensor: a handle on memory. Shape, strides, offset and dtype over shared Storage. No maths here (see kernels/).
//
//   Tensor x = Tensor::Empty({8, 1024, 768}, DType::kF32);
//   float* p = x.mutable_data<float>();          // raises the storage's version
//   Tensor row = x.Slice(0, 2, 3);               // a view: shares the bytes
//
// Copies share storage. Views are cheap and never copy; Contiguous() copies only when it must. Kernels require the
// innermost axis to be contiguous. CHECKs guard programmers' invariants; sizes from files and requests are checked
// before they get here.
#ifndef QUERN_TENSOR_TENSOR_H_
#define QUERN_TENSOR_TENSOR_H_

#include <array>
#include <cstdint>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "tensor/device.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"
#include "tensor/storage.h"

namespace quern {

class Tensor {
 public:
  // No tensor: defined() is false. Optional arguments ("no bias") are passed so.
  Tensor() = default;

  // Contents are not initialised.
  static Tensor Empty(const Shape& shape, DType dtype, Device device = Cpu());
  static Tensor Zeros(const Shape& shape, DType dtype, Device device = Cpu());
  // A copy of `values` on the CPU; values.size() == shape.elements().
  template <typename T>
  static Tensor Of(std::span<const T> values, const Shape& shape);
  template <typename T>
  static Tensor Of(const std::vector<T>& values, const Shape& shape) {
    return Of(std::span<const T>(values), shape);
  }
  static Tensor Of(std::initializer_list<float> values, const Shape& shape) {
    return Of(std::span<const float>(values.begin(), values.size()), shape);
  }
  // A contiguous view of bytes that somebody else owns (a mapped file); `storage.bytes()` must cover it.
  static Tensor View(Storage storage, int64_t offset_bytes, const Shape& shape, DType dtype);

  bool defined() const { return static_cast<bool>(storage_); }
  const Shape& shape() const { return shape_; }
  int rank() const { return shape_.rank(); }
  int64_t dim(int axis) const { return shape_.dim(axis); }
  int64_t elements() const { return shape_.elements(); }
  int64_t bytes() const { return elements() * SizeOf(dtype_); }
  DType dtype() const { return dtype_; }
  Device device() const { return storage_ ? storage_.device() : Cpu(); }
  // In elements, like shape().
  int64_t stride(int axis) const { return strides_[axis < 0 ? axis + rank() : axis]; }
  bool contiguous() const;
  const Storage& storage() const { return storage_; }
  uint64_t version() const { return storage_.version(); }

  // Address of the first element. CHECKs T against dtype().
  template <typename T>
  const T* data() const {
    CheckType(DTypeOf<T>::value);
    return reinterpret_cast<const T*>(raw());
  }
  // For writing: raises the version; CHECKs that the storage is not read-only.
  template <typename T>
  T* mutable_data() {
    CheckType(DTypeOf<T>::value);
    return reinterpret_cast<T*>(mutable_raw());
  }
  const std::byte* raw() const { return static_cast<const std::byte*>(storage_.data()) + offset_ * SizeOf(dtype_); }
  std::byte* mutable_raw();

  // Views. Reshape CHECKs element counts and that a view gives the elements in their order: always so where this is
  // contiguous, else where axes that are dense among themselves are only cut or joined. One size may be -1.
  Tensor Reshape(const Shape& shape) const;
  Tensor Reshape(std::initializer_list<int64_t> dims) const;
  Tensor Slice(int axis, int64_t begin, int64_t end) const;
  Tensor Transpose(int axis_a, int axis_b) const;

  // This tensor where it is contiguous, else a contiguous copy (CPU).
  Tensor Contiguous() const;
  // A contiguous copy with storage of its own (CPU).
  Tensor Clone() const;
  // A copy on `device`, or this tensor when it is there.
  Tensor To(Device device) const;
  // Copies the elements of `source` (same shape and dtype, any strides) into this tensor (CPU).
  void CopyFrom(const Tensor& source);
  // The elements, in order, as a vector (CPU copy).
  template <typename T>
  std::vector<T> ToVector() const;

 private:
  void CheckType(DType wanted) const;

  Storage storage_;
  Shape shape_;
  std::array<int64_t, kMaxRank> strides_{};
  int64_t offset_ = 0;  // elements
  DType dtype_ = DType::kF32;
};

// "bf16[8,1024,768]@cuda:0", for error messages; "none" for an undefined tensor.
std::string Describe(const Tensor& tensor);
inline std::ostream& operator<<(std::ostream& os, const Tensor& tensor) { return os << Describe(tensor); }

template <typename T>
Tensor Tensor::Of(std::span<const T> values, const Shape& shape) {
  CHECK_EQ(static_cast<int64_t>(values.size()), shape.elements()) << "Tensor::Of: one value per element of " << shape;
  Tensor t = Empty(shape, DTypeOf<T>::value);
  T* out = t.mutable_data<T>();
  for (size_t i = 0; i < values.size(); ++i) out[i] = values[i];
  return t;
}

template <typename T>
std::vector<T> Tensor::ToVector() const {
  Tensor dense = To(Cpu()).Contiguous();
  const T* p = dense.data<T>();
  return std::vector<T>(p, p + dense.elements());
}

}  // namespace quern

#endif  // QUERN_TENSOR_TENSOR_H_
