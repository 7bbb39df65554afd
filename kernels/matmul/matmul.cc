#include "kernels/matmul/matmul.h"

#include <algorithm>
#include <vector>

#include "base/log.h"
#include "base/thread_pool.h"
#include "kernels/isa.h"
#include "kernels/matmul/matmul_args.h"
#include "kernels/matmul/matmul_plan.h"
#include "kernels/reduce/reduce.h"

namespace quern {
namespace {

constexpr PerIsa<decltype(ref::MatmulTile)> kTile = {ref::MatmulTile, avx2::MatmulTile, avx512::MatmulTile};
constexpr PerIsa<decltype(ref::PackPanels)> kPack = {ref::PackPanels, avx2::PackPanels, avx512::PackPanels};

// A tensor [..., C] seen as rows.
struct Rows {
  int64_t rows, columns, stride;
};

Rows RowsOf(const char* op, const char* name, const Tensor& t) {
  CHECK(t.defined() && t.dtype() == DType::kF32 && t.device().is_cpu() && t.rank() >= 1)
      << op << ": takes f32 on the CPU; got " << name << "=" << t;
  Rows view{1, t.dim(-1), t.dim(-1)};
  CHECK(view.columns <= 1 || t.stride(-1) == 1) << op << ": the innermost axis is contiguous; got " << name << "=" << t;
  bool first = true;
  for (int axis = t.rank() - 2; axis >= 0; --axis) {
    if (t.dim(axis) != 1) {
      CHECK(first || t.elements() == 0 || t.stride(axis) == view.rows * view.stride)
          << op << ": the outer axes are evenly spaced rows; got " << name << "=" << t;
      if (first) view.stride = t.stride(axis);
      first = false;
    }
    view.rows *= t.dim(axis);
  }
  return view;
}

int64_t Panels(int64_t n) { return (n + kPanel - 1) / kPanel; }

// Rows that a thread takes of what another one has left, at least: whole register tiles of six, and of eight nearly.
constexpr int64_t kTakenRows = 12;

// The rows of a column of parts, and which of them takes.
struct RowTaker {
  WorkShares* rows;
  int part;

  static bool Take(const MatmulPart& part, int64_t* begin, int64_t* end) {
    const auto* taker = static_cast<const RowTaker*>(part.taker);
    return taker->rows->Take(taker->part, begin, end);
  }
};

void Run(const MatmulArgs& args) {
  if (args.m == 0 || args.n == 0) return;
  const MatmulPlan plan = PlanMatmul(args, ThreadPool::Current().threads());
  auto* tile = kTile.Pick();
  Tensor memory = Tensor::Empty({plan.parts() * plan.scratch()}, DType::kF32);
  float* scratch = memory.mutable_data<float>();
  std::vector<WorkShares> rows;
  for (int64_t column = 0; column < plan.column_parts && plan.row_parts > 1; ++column) {
    rows.emplace_back(static_cast<int>(plan.row_parts));
    rows.back().Cut(args.m, static_cast<int>(plan.row_parts), kTakenRows, plan.blocks.rows);
  }
  ParallelFor(plan.parts(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t index = begin; index < end; ++index) {
      MatmulPart part = PartOf(args, plan, index, scratch);
      RowTaker taker{};
      if (!rows.empty()) {
        taker = {&rows[static_cast<size_t>(index % plan.column_parts)], static_cast<int>(index / plan.column_parts)};
        part.take_rows = RowTaker::Take;
        part.taker = &taker;
      }
      tile(args, part);
    }
  });
}

void CheckInner(const char* op, bool ok, const Tensor& a, const Tensor& b) {
  CHECK(ok) << op << ": the inner sizes agree; got a=" << a << ", b=" << b;
}

// All but the destination.
MatmulArgs Operands(const char* op, MatmulKind kind, const Tensor& a, const Tensor& b) {
  Rows x = RowsOf(op, "a", a), y = RowsOf(op, "b", b);
  MatmulArgs args{};
  args.a = a.data<float>();
  args.b = b.data<float>();
  args.m = kind == MatmulKind::kTN ? x.columns : x.rows;
  args.k = kind == MatmulKind::kTN ? x.rows : x.columns;
  args.n = kind == MatmulKind::kNT ? y.rows : y.columns;
  args.a_row = kind == MatmulKind::kTN ? 1 : x.stride;
  args.a_k = kind == MatmulKind::kTN ? x.stride : 1;
  args.b_k = kind == MatmulKind::kNT ? 1 : y.stride;
  args.b_column = kind == MatmulKind::kNT ? y.stride : 1;
  CheckInner(op, args.k == (kind == MatmulKind::kNT ? y.columns : y.rows), a, b);
  return args;
}

void RunInto(const char* op, MatmulArgs args, Tensor& c, bool add) {
  Rows view = RowsOf(op, "c", c);
  CHECK(view.rows == args.m && view.columns == args.n)
      << op << ": the result is [" << args.m << "," << args.n << "]; got c=" << c;
  args.c = c.mutable_data<float>();
  args.c_row = view.stride;
  if (add) args.addend = args.c, args.addend_row = args.c_row;
  Run(args);
}

Tensor RunLinear(const Tensor& x, MatmulArgs args, const Tensor& bias, const Tensor& addend) {
  if (bias.defined()) {
    CHECK(bias.dtype() == DType::kF32 && bias.rank() == 1 && bias.contiguous() && bias.dim(0) == args.n)
        << "Linear: bias is [" << args.n << "]; got bias=" << bias;
    args.bias = bias.data<float>();
  }
  Tensor y = Tensor::Empty(x.shape().With(-1, args.n), DType::kF32);
  if (addend.defined()) {
    Rows view = RowsOf("Linear", "addend", addend);
    CHECK(addend.shape() == y.shape()) << "Linear: addend is like the result " << y << "; got addend=" << addend;
    args.addend = addend.data<float>(), args.addend_row = view.stride;
  }
  RunInto("Linear", args, y, false);
  return y;
}

}  // namespace

Tensor Matmul(MatmulKind kind, const Tensor& a, const Tensor& b) {
  MatmulArgs args = Operands("Matmul", kind, a, b);
  Tensor c = Tensor::Empty({args.m, args.n}, DType::kF32);
  RunInto("Matmul", args, c, false);
  return c;
}

void MatmulTo(MatmulKind kind, const Tensor& a, const Tensor& b, Slot& c) {
  if (!c.wanted()) return;
  RunInto("MatmulTo", Operands("MatmulTo", kind, a, b), c.destination(), c.accumulate());
}

PackedMatrix PackWeight(const Tensor& weight, WeightLayout layout) {
  CHECK_EQ(weight.rank(), 2) << "PackWeight: a weight has two axes; got " << weight;
  Rows view = RowsOf("PackWeight", "weight", weight);
  bool out_in = layout == WeightLayout::kOutIn;
  PackedMatrix packed;
  packed.n = out_in ? view.rows : view.columns;
  packed.k = out_in ? view.columns : view.rows;
  packed.version = weight.version();
  packed.bytes = Tensor::Empty({Panels(packed.n) * kPanel * packed.k * int64_t{sizeof(float)}}, DType::kU8);
  const float* w = weight.data<float>();
  float* panels = reinterpret_cast<float*>(packed.bytes.mutable_raw());
  int64_t w_k = out_in ? 1 : view.stride, w_column = out_in ? view.stride : 1;
  auto* pack = kPack.Pick();
  ParallelFor(Panels(packed.n), 1 + 65536 / (kPanel * (packed.k + 1)),
              [&](int64_t begin, int64_t end) { pack(w, w_k, w_column, packed.k, packed.n, panels, begin, end); });
  return packed;
}

Tensor Linear(const Tensor& x, const PackedMatrix& weight, const Tensor& bias, const Tensor& addend) {
  CHECK(weight.defined()) << "Linear: the packed weight is missing";
  Rows view = RowsOf("Linear", "x", x);
  CHECK_EQ(view.columns, weight.k) << "Linear: the inner sizes agree; got x=" << x << ", weight [out,in]=[" << weight.n
                                   << "," << weight.k << "]";
  MatmulArgs args{};
  args.a = x.data<float>();
  args.a_row = view.stride;
  args.a_k = 1;
  args.panels = reinterpret_cast<const float*>(weight.bytes.raw());
  args.m = view.rows;
  args.n = weight.n;
  args.k = weight.k;
  return RunLinear(x, args, bias, addend);
}

Tensor Linear(const Tensor& x, const Tensor& weight, WeightLayout layout, const Tensor& bias, const Tensor& addend) {
  CHECK_EQ(weight.rank(), 2) << "Linear: a weight has two axes; got " << weight;
  MatmulKind kind = layout == WeightLayout::kOutIn ? MatmulKind::kNT : MatmulKind::kNN;
  return RunLinear(x, Operands("Linear", kind, x, weight), bias, addend);
}

void LinearBackward(const Tensor& dy, const Tensor& x, const Tensor& weight, WeightLayout layout, Slot& dx,
                    Slot& dweight, Slot& dbias) {
  bool out_in = layout == WeightLayout::kOutIn;
  MatmulTo(out_in ? MatmulKind::kNN : MatmulKind::kNT, dy, weight, dx);
  MatmulTo(MatmulKind::kTN, out_in ? dy : x, out_in ? x : dy, dweight);
  if (dbias.wanted()) SumRows(dy, dbias);
}

}  // namespace quern
