// Sizes of a tensor's axes, outermost first; at most six. A shape without axes is a scalar's.
#ifndef QUERN_TENSOR_SHAPE_H_
#define QUERN_TENSOR_SHAPE_H_

#include <array>
#include <cstdint>
#include <initializer_list>
#include <ostream>
#include <span>
#include <string>

#include "base/log.h"

namespace quern {

inline constexpr int kMaxRank = 6;

class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> dims) : Shape(std::span<const int64_t>(dims.begin(), dims.size())) {}
  explicit Shape(std::span<const int64_t> dims) {
    CHECK_LE(dims.size(), static_cast<size_t>(kMaxRank)) << "Shape: at most six axes.";
    for (int64_t dim : dims) {
      CHECK_GE(dim, 0) << "Shape: sizes are not negative.";
      dims_[rank_++] = dim;
    }
  }

  int rank() const { return rank_; }
  // Negative axes count from the last: dim(-1) is the innermost.
  int64_t dim(int axis) const { return dims_[Axis(axis)]; }
  int64_t operator[](int axis) const { return dim(axis); }
  int64_t elements() const {
    int64_t n = 1;
    for (int i = 0; i < rank_; ++i) n *= dims_[i];
    return n;
  }
  std::span<const int64_t> dims() const { return {dims_.data(), static_cast<size_t>(rank_)}; }
  // The shape with one axis resized.
  Shape With(int axis, int64_t size) const {
    Shape copy = *this;
    copy.dims_[Axis(axis)] = size;
    return copy;
  }
  bool operator==(const Shape& other) const {
    if (rank_ != other.rank_) return false;
    for (int i = 0; i < rank_; ++i) {
      if (dims_[i] != other.dims_[i]) return false;
    }
    return true;
  }

 private:
  int Axis(int axis) const {
    int a = axis < 0 ? axis + rank_ : axis;
    CHECK(a >= 0 && a < rank_) << "Shape: axis " << axis << " of a shape with " << rank_ << " axes.";
    return a;
  }

  std::array<int64_t, kMaxRank> dims_{};
  int rank_ = 0;
};

// "[8,1024,768]".
std::string ToString(const Shape& shape);
inline std::ostream& operator<<(std::ostream& os, const Shape& shape) { return os << ToString(shape); }

}  // namespace quern

#endif  // QUERN_TENSOR_SHAPE_H_
