// Dropout of one forward pass (Srivastava et al., 2014), applied only in training.
//
// Every place in a model that drops has a number of its own, its site. Site s draws the elements [s * 2^40, (s + 1) *
// 2^40) of the stream (seed, kDropout, step, micro_batch), so no two sites of a step share a number and a mask depends
// on nothing else.
#ifndef QUERN_NN_DROPOUT_H_
#define QUERN_NN_DROPOUT_H_

#include <cstdint>

#include "autograd/functions.h"
#include "nn/language_model.h"
#include "nn/linear.h"

namespace quern::nn {

class Dropout {
 public:
  Dropout(double p, const ForwardOptions& options) : p_(options.training ? static_cast<float>(p) : 0.0f) {
    draw_.key = {options.seed, RngStream::kDropout};
    draw_.step = options.step;
    draw_.micro_batch = options.micro_batch;
  }

  Var operator()(const Var& x, uint64_t site) const {
    if (p_ == 0) return x;
    DropoutDraw draw = draw_;
    draw.first_element = site << 40;
    return quern::Dropout(x, p_, draw);
  }

  // residual + Drop(projection(x)), as every sublayer ends: in one pass where nothing is dropped.
  Var AddTo(const Var& residual, Linear& projection, const Var& x, uint64_t site) const {
    return p_ == 0 ? projection(x, residual) : Add(residual, (*this)(projection(x), site));
  }

 private:
  float p_;
  DropoutDraw draw_;
};

}  // namespace quern::nn

#endif  // QUERN_NN_DROPOUT_H_
