#include "tensor/tensor.h"

#include <cstring>
#include <utility>

#include "tensor/memory_cuda.h"

namespace quern {
namespace {

std::array<int64_t, kMaxRank> DenseStrides(const Shape& shape) {
  std::array<int64_t, kMaxRank> strides{};
  int64_t step = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    strides[i] = step;
    step *= shape[i];
  }
  return strides;
}

// The strides of `shape` over the elements that `old_shape` and `old_strides` name, in their order; false where none
// give that order. Axes that are dense among themselves are one run; a run may be cut and joined freely, and axes of
// size 1 are in none.
bool CutAndJoin(const Shape& old_shape, const std::array<int64_t, kMaxRank>& old_strides, const Shape& shape,
                std::array<int64_t, kMaxRank>* strides) {
  struct Run {
    int64_t elements, step;
  };
  std::array<Run, kMaxRank> runs;  // the innermost first
  int count = 0;
  for (int i = old_shape.rank() - 1; i >= 0; --i) {
    if (old_shape[i] == 1) continue;
    if (count > 0 && old_strides[i] == runs[count - 1].elements * runs[count - 1].step) {
      runs[count - 1].elements *= old_shape[i];
    } else {
      runs[count++] = {old_shape[i], old_strides[i]};
    }
  }
  int run = 0;
  int64_t taken = 1;  // elements of the run that inner axes of `shape` cover
  for (int j = shape.rank() - 1; j >= 0; --j) {
    if (run < count && taken == runs[run].elements && shape[j] != 1) {
      ++run;
      taken = 1;
    }
    if (shape[j] == 1) {
      (*strides)[j] = 1;
      continue;
    }
    if (run == count || runs[run].elements % (taken * shape[j]) != 0) return false;
    (*strides)[j] = runs[run].step * taken;
    taken *= shape[j];
  }
  return true;
}

// Calls copy(source_offset, destination_offset) for every run of `shape`'s innermost axis, offsets in elements.
template <typename Copy>
void ForEachRun(const Tensor& source, const Tensor& destination, const Copy& copy) {
  const Shape& shape = source.shape();
  int outer_axes = shape.rank() - 1;
  std::array<int64_t, kMaxRank> index{};
  while (true) {
    int64_t from = 0, to = 0;
    for (int i = 0; i < outer_axes; ++i) {
      from += index[i] * source.stride(i);
      to += index[i] * destination.stride(i);
    }
    copy(from, to);
    int axis = outer_axes - 1;
    for (; axis >= 0; --axis) {
      if (++index[axis] < shape[axis]) break;
      index[axis] = 0;
    }
    if (axis < 0) return;
  }
}

}  // namespace

std::string ToString(const Shape& shape) {
  std::string text = "[";
  for (int i = 0; i < shape.rank(); ++i) {
    if (i > 0) text += ",";
    text += std::to_string(shape[i]);
  }
  return text + "]";
}

std::string Describe(const Tensor& tensor) {
  if (!tensor.defined()) return "none";
  return std::string(Name(tensor.dtype())) + ToString(tensor.shape()) + "@" + Name(tensor.device());
}

Tensor Tensor::Empty(const Shape& shape, DType dtype, Device device) {
  return View(Storage::Allocate(shape.elements() * SizeOf(dtype), device), 0, shape, dtype);
}

Tensor Tensor::Zeros(const Shape& shape, DType dtype, Device device) {
  CHECK(device.is_cpu()) << "Tensor::Zeros: CPU only; use Fill from kernels/elementwise on " << Name(device);
  Tensor t = Empty(shape, dtype, device);
  std::memset(t.mutable_raw(), 0, static_cast<size_t>(t.bytes()));
  return t;
}

Tensor Tensor::View(Storage storage, int64_t offset_bytes, const Shape& shape, DType dtype) {
  CHECK(offset_bytes >= 0 && offset_bytes % SizeOf(dtype) == 0) << "Tensor::View: offset " << offset_bytes;
  CHECK_LE(offset_bytes + shape.elements() * SizeOf(dtype), storage.bytes())
      << "Tensor::View: past the end of storage.";
  Tensor t;
  t.storage_ = std::move(storage);
  t.shape_ = shape;
  t.strides_ = DenseStrides(shape);
  t.offset_ = offset_bytes / SizeOf(dtype);
  t.dtype_ = dtype;
  return t;
}

bool Tensor::contiguous() const {
  int64_t step = 1;
  for (int i = rank() - 1; i >= 0; --i) {
    if (shape_[i] != 1 && strides_[i] != step) return false;
    step *= shape_[i];
  }
  return true;
}

std::byte* Tensor::mutable_raw() {
  CHECK(defined()) << "Tensor: an undefined tensor has no data.";
  CHECK(!storage_.read_only()) << "Tensor: this memory is mapped from a file and read-only; Clone() first. got "
                               << *this;
  storage_.RaiseVersion();
  return const_cast<std::byte*>(raw());
}

Tensor Tensor::Reshape(std::initializer_list<int64_t> dims) const {
  std::vector<int64_t> sizes(dims);
  int64_t known = 1;
  int unknown = -1;
  for (int i = 0; i < static_cast<int>(sizes.size()); ++i) {
    if (sizes[i] == -1) {
      CHECK_EQ(unknown, -1) << "Reshape: one size may be -1.";
      unknown = i;
    } else {
      known *= sizes[i];
    }
  }
  if (unknown >= 0) {
    CHECK(known > 0 && elements() % known == 0) << "Reshape: no size fits -1; got " << *this;
    sizes[unknown] = elements() / known;
  }
  return Reshape(Shape(std::span<const int64_t>(sizes)));
}

Tensor Tensor::Reshape(const Shape& shape) const {
  CHECK_EQ(shape.elements(), elements()) << "Reshape: element counts differ; got " << *this << " to " << shape;
  Tensor t = *this;
  t.shape_ = shape;
  if (contiguous() || elements() == 0) {
    t.strides_ = DenseStrides(shape);
  } else {
    CHECK(CutAndJoin(shape_, strides_, shape, &t.strides_))
        << "Reshape: needs a contiguous tensor, or one whose dense axes are only cut or joined; got " << *this << " to "
        << shape << ". Call Contiguous() first.";
  }
  return t;
}

Tensor Tensor::Slice(int axis, int64_t begin, int64_t end) const {
  int a = axis < 0 ? axis + rank() : axis;
  CHECK(a >= 0 && a < rank()) << "Slice: axis " << axis << "; got " << *this;
  CHECK(0 <= begin && begin <= end && end <= shape_[a])
      << "Slice: [" << begin << ", " << end << ") of axis " << axis << "; got " << *this;
  Tensor t = *this;
  t.shape_ = shape_.With(a, end - begin);
  t.offset_ += begin * strides_[a];
  return t;
}

Tensor Tensor::Transpose(int axis_a, int axis_b) const {
  int a = axis_a < 0 ? axis_a + rank() : axis_a, b = axis_b < 0 ? axis_b + rank() : axis_b;
  CHECK(a >= 0 && a < rank() && b >= 0 && b < rank())
      << "Transpose: axes " << axis_a << ", " << axis_b << "; got " << *this;
  Tensor t = *this;
  t.shape_ = shape_.With(a, shape_[b]).With(b, shape_[a]);
  std::swap(t.strides_[a], t.strides_[b]);
  return t;
}

Tensor Tensor::Contiguous() const { return contiguous() ? *this : Clone(); }

Tensor Tensor::Clone() const {
  Tensor t = Empty(shape_, dtype_, device());
  t.CopyFrom(*this);
  return t;
}

Tensor Tensor::To(Device device) const {
  if (device == this->device()) return *this;
  if constexpr (kBuiltWithCuda) {
    Tensor source = this->device().is_cpu() ? Contiguous() : *this;
    CHECK(source.contiguous()) << "Tensor::To: needs a contiguous tensor on the device; got " << *this;
    Tensor copy = Empty(shape_, dtype_, device);
    CudaCopy(copy.mutable_raw(), source.raw(), bytes(), device.is_cpu() ? this->device().index : device.index);
    return copy;
  }
  LOG(FATAL) << "Tensor::To: this binary was built without CUDA; rebuild with --config=cuda. got " << *this;
  return {};
}

void Tensor::CopyFrom(const Tensor& source) {
  CHECK(source.shape() == shape_ && source.dtype() == dtype_) << "CopyFrom: got " << source << " into " << *this;
  CHECK(device().is_cpu() && source.device().is_cpu()) << "CopyFrom: CPU only; use To() across devices.";
  std::byte* to = mutable_raw();
  if (elements() == 0) return;
  const std::byte* from = source.raw();
  int64_t size = SizeOf(dtype_);
  if (contiguous() && source.contiguous()) {
    std::memcpy(to, from, static_cast<size_t>(bytes()));
    return;
  }
  int64_t run = shape_.dim(-1), from_step = source.stride(-1), to_step = stride(-1);
  ForEachRun(source, *this, [&](int64_t from_offset, int64_t to_offset) {
    const std::byte* f = from + from_offset * size;
    std::byte* t = to + to_offset * size;
    if (from_step == 1 && to_step == 1) {
      std::memcpy(t, f, static_cast<size_t>(run * size));
    } else {
      for (int64_t i = 0; i < run; ++i)
        std::memcpy(t + i * to_step * size, f + i * from_step * size, static_cast<size_t>(size));
    }
  });
}

void Tensor::CheckType(DType wanted) const {
  CHECK(defined()) << "Tensor: an undefined tensor has no data.";
  CHECK(dtype_ == wanted) << "Tensor: asked for " << Name(wanted) << " data; got " << *this;
}

}  // namespace quern
