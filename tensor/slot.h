// Slot: where a gradient goes.
//
// A backward kernel is handed one slot per input. The slot says whether anybody wants that gradient (frozen weights do
// not, and then no work is done), where to write it, and whether to add to what is there or to overwrite it.
// Destinations of activations are allocated at first use; those of parameters are slices of one f32 arena.
#ifndef QUERN_TENSOR_SLOT_H_
#define QUERN_TENSOR_SLOT_H_

#include <utility>

#include "tensor/tensor.h"

namespace quern {

class Slot {
 public:
  // Not wanted.
  Slot() = default;
  // Writes to (or, with accumulate, adds to) `destination`.
  explicit Slot(Tensor destination, bool accumulate = false)
      : wanted_(true), accumulate_(accumulate), destination_(std::move(destination)) {}
  // A destination of this shape and dtype is allocated when destination() is first called.
  static Slot Lazy(const Shape& shape, DType dtype, Device device) {
    Slot slot;
    slot.wanted_ = true;
    slot.shape_ = shape;
    slot.dtype_ = dtype;
    slot.device_ = device;
    return slot;
  }

  bool wanted() const { return wanted_; }
  // True: dst += gradient. False: dst = gradient (the destination's bytes are not initialised).
  bool accumulate() const { return accumulate_; }
  Tensor& destination() {
    CHECK(wanted_) << "Slot: destination of a gradient that nobody wants; ask wanted() first.";
    if (!destination_.defined()) destination_ = Tensor::Empty(shape_, dtype_, device_);
    return destination_;
  }
  // Instead of writing: hands over a finished tensor, without a copy. The tape adds it where accumulate() says so.
  void Give(Tensor gradient) { given_ = std::move(gradient); }

  // For the tape.
  const Tensor& given() const { return given_; }
  bool has_destination() const { return destination_.defined(); }

 private:
  bool wanted_ = false;
  bool accumulate_ = false;
  Tensor destination_;
  Tensor given_;
  Shape shape_;
  DType dtype_ = DType::kF32;
  Device device_;
};

}  // namespace quern

#endif  // QUERN_TENSOR_SLOT_H_
