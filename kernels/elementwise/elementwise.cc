#include "kernels/elementwise/elementwise.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/log.h"
#include "base/thread_pool.h"
#include "kernels/elementwise/elementwise_args.h"
#include "kernels/isa.h"

namespace quern {
namespace {

constexpr PerIsa<decltype(ref::Elementwise)> kElementwise = {ref::Elementwise, avx2::Elementwise, avx512::Elementwise};
constexpr PerIsa<decltype(ref::AddRow)> kAddRow = {ref::AddRow, avx2::AddRow, avx512::AddRow};
constexpr PerIsa<decltype(ref::Cast)> kCast = {ref::Cast, avx2::Cast, avx512::Cast};
constexpr PerIsa<decltype(ref::Dropout)> kDropout = {ref::Dropout, avx2::Dropout, avx512::Dropout};

// The work is cut between blocks of this many elements: every part but the last is whole vectors and whole cache lines.
constexpr int64_t kBlock = 64;
// Elements that are worth a thread of their own.
constexpr int64_t kGrain = 16 * 1024;

template <typename Args>
void Run(void (*kernel)(const Args&, int64_t, int64_t), const Args& args, int64_t elements) {
  ParallelFor((elements + kBlock - 1) / kBlock, kGrain / kBlock,
              [&](int64_t begin, int64_t end) { kernel(args, begin * kBlock, std::min(end * kBlock, elements)); });
}

void CheckInput(const char* op, const char* name, const Tensor& t) {
  CHECK(t.defined() && t.dtype() == DType::kF32 && t.contiguous() && t.device().is_cpu())
      << op << ": takes contiguous f32 on the CPU; got " << name << "=" << t;
}

void CheckAlike(const char* op, const Tensor& a, const char* name, const Tensor& b) {
  CheckInput(op, name, b);
  CHECK(a.shape() == b.shape()) << op << ": equal shapes; got " << a << " and " << name << "=" << b;
}

// Where a slot's gradient of x's shape goes, null where it is not wanted.
float* Destination(const char* op, const Tensor& x, Slot& slot) {
  if (!slot.wanted()) return nullptr;
  CheckAlike(op, x, "destination", slot.destination());
  return slot.destination().mutable_data<float>();
}

ElementwiseArgs Operands(const char* op, ElementwiseOp which, const Tensor& a, const Tensor* b = nullptr,
                         const Tensor* c = nullptr) {
  ElementwiseArgs args{};
  args.op = which;
  CheckInput(op, "a", a);
  args.a = a.data<float>();
  if (b != nullptr) {
    CheckAlike(op, a, "b", *b);
    args.b = b->data<float>();
  }
  if (c != nullptr) {
    CheckAlike(op, a, "c", *c);
    args.c = c->data<float>();
  }
  return args;
}

Tensor RunNew(ElementwiseArgs args, const Tensor& like) {
  Tensor out = Tensor::Empty(like.shape(), DType::kF32);
  args.out = out.mutable_data<float>();
  Run(kElementwise.Pick(), args, out.elements());
  return out;
}

void RunInto(const char* op, ElementwiseArgs args, const Tensor& like, Slot& slot) {
  if (!slot.wanted()) return;
  args.out = Destination(op, like, slot);
  args.add = slot.accumulate();
  Run(kElementwise.Pick(), args, like.elements());
}

DropoutArgs DrawOf(float p, const DropoutDraw& draw, const Tensor& x) {
  CHECK(p >= 0 && p < 1) << "Dropout: p is a probability below 1; got p=" << p;
  CHECK_EQ(draw.first_element % 4, 0u) << "Dropout: first_element is a multiple of 4.";
  CheckInput("Dropout", "x", x);
  DropoutArgs args{};
  args.x = x.data<float>();
  args.first_group = draw.first_element / 4;
  args.counter_high[0] = draw.step;
  args.counter_high[1] = draw.micro_batch;
  std::array<uint32_t, 2> key = KeyWords(draw.key);
  args.key[0] = key[0];
  args.key[1] = key[1];
  args.threshold = static_cast<uint32_t>(std::ceil(double{p} * 0x1p24));
  args.scale = static_cast<float>(1 / (1 - double{p}));
  return args;
}

}  // namespace

Tensor Add(const Tensor& a, const Tensor& b) { return RunNew(Operands("Add", ElementwiseOp::kAdd, a, &b), a); }

Tensor AddRow(const Tensor& a, const Tensor& row) {
  CheckInput("AddRow", "a", a);
  CheckInput("AddRow", "row", row);
  CHECK(a.rank() >= 1 && row.rank() == 1 && row.dim(0) == a.dim(-1))
      << "AddRow: row is [C]; got a=" << a << ", row=" << row;
  Tensor out = Tensor::Empty(a.shape(), DType::kF32);
  int64_t cols = a.dim(-1), rows = cols > 0 ? a.elements() / cols : 0;
  AddRowArgs args{a.data<float>(), row.data<float>(), out.mutable_data<float>(), cols};
  auto* kernel = kAddRow.Pick();
  ParallelFor(rows, kGrain / std::max<int64_t>(1, cols) + 1,
              [&](int64_t begin, int64_t end) { kernel(args, begin, end); });
  return out;
}

Tensor Mul(const Tensor& a, const Tensor& b) { return RunNew(Operands("Mul", ElementwiseOp::kMul, a, &b), a); }

Tensor Scale(const Tensor& x, float factor) {
  ElementwiseArgs args = Operands("Scale", ElementwiseOp::kScale, x);
  args.factor = factor;
  return RunNew(args, x);
}

void AddInto(Tensor& destination, const Tensor& source) {
  ElementwiseArgs args = Operands("AddInto", ElementwiseOp::kAdd, destination, &source);
  args.out = destination.mutable_data<float>();
  Run(kElementwise.Pick(), args, source.elements());
}

void Fill(Tensor& destination, float value) {
  CheckInput("Fill", "destination", destination);
  ElementwiseArgs args{};
  args.op = ElementwiseOp::kFill;
  args.factor = value;
  args.out = destination.mutable_data<float>();
  Run(kElementwise.Pick(), args, destination.elements());
}

void MulTo(const Tensor& a, const Tensor& b, Slot& out) {
  RunInto("MulTo", Operands("MulTo", ElementwiseOp::kMul, a, &b), a, out);
}

void ScaleTo(const Tensor& x, float factor, Slot& out) {
  ElementwiseArgs args = Operands("ScaleTo", ElementwiseOp::kScale, x);
  args.factor = factor;
  RunInto("ScaleTo", args, x, out);
}

Tensor Gelu(const Tensor& x, GeluKind kind) {
  return RunNew(Operands("Gelu", kind == GeluKind::kErf ? ElementwiseOp::kGeluErf : ElementwiseOp::kGeluTanh, x), x);
}

void GeluBackward(const Tensor& dy, const Tensor& x, const Tensor& y, GeluKind kind, Slot& dx) {
  ElementwiseOp op = kind == GeluKind::kErf ? ElementwiseOp::kGeluErfBackward : ElementwiseOp::kGeluTanhBackward;
  RunInto("GeluBackward", Operands("GeluBackward", op, dy, &x, &y), x, dx);
}

Tensor Tanh(const Tensor& x) { return RunNew(Operands("Tanh", ElementwiseOp::kTanh, x), x); }

Tensor Sigmoid(const Tensor& x) { return RunNew(Operands("Sigmoid", ElementwiseOp::kSigmoid, x), x); }

Tensor Erf(const Tensor& x) { return RunNew(Operands("Erf", ElementwiseOp::kErf, x), x); }

Tensor Silu(const Tensor& x) { return RunNew(Operands("Silu", ElementwiseOp::kSilu, x), x); }

void SiluBackward(const Tensor& dy, const Tensor& x, Slot& dx) {
  RunInto("SiluBackward", Operands("SiluBackward", ElementwiseOp::kSiluBackward, dy, &x), x, dx);
}

Tensor SwiGlu(const Tensor& gate, const Tensor& up) {
  return RunNew(Operands("SwiGlu", ElementwiseOp::kSwiGlu, gate, &up), gate);
}

void SwiGluBackward(const Tensor& dy, const Tensor& gate, const Tensor& up, Slot& dgate, Slot& dup) {
  ElementwiseArgs args = Operands("SwiGluBackward", ElementwiseOp::kSwiGluBackward, dy, &gate, &up);
  args.out = Destination("SwiGluBackward", dy, dgate);
  args.add = dgate.accumulate();
  args.second = Destination("SwiGluBackward", dy, dup);
  args.add_second = dup.accumulate();
  if (args.out != nullptr || args.second != nullptr) Run(kElementwise.Pick(), args, dy.elements());
}

Tensor Cast(const Tensor& x, DType dtype) {
  CHECK(x.contiguous() && x.device().is_cpu()) << "Cast: takes a contiguous tensor on the CPU; got x=" << x;
  if (x.dtype() == dtype) return x.Clone();
  bool narrow = x.dtype() == DType::kF32 && dtype == DType::kBF16,
       widen = x.dtype() == DType::kBF16 && dtype == DType::kF32;
  CHECK(narrow || widen) << "Cast: f32 to bf16 or back; got x=" << x << ", dtype=" << Name(dtype);
  Tensor out = Tensor::Empty(x.shape(), dtype);
  CastArgs args{};
  if (narrow) {
    args.f32 = x.data<float>();
    args.to_bf16 = reinterpret_cast<uint16_t*>(out.mutable_raw());
  } else {
    args.bf16 = reinterpret_cast<const uint16_t*>(x.raw());
    args.to_f32 = out.mutable_data<float>();
  }
  Run(kCast.Pick(), args, x.elements());
  return out;
}

Tensor Dropout(const Tensor& x, float p, const DropoutDraw& draw) {
  DropoutArgs args = DrawOf(p, draw, x);
  Tensor out = Tensor::Empty(x.shape(), DType::kF32);
  args.out = out.mutable_data<float>();
  Run(kDropout.Pick(), args, x.elements());
  return out;
}

void DropoutBackward(const Tensor& dy, float p, const DropoutDraw& draw, Slot& dx) {
  if (!dx.wanted()) return;
  DropoutArgs args = DrawOf(p, draw, dy);
  args.out = Destination("DropoutBackward", dy, dx);
  args.add = dx.accumulate();
  Run(kDropout.Pick(), args, dy.elements());
}

}  // namespace quern
