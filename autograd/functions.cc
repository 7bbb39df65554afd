// One function per differentiable operation, its gradient beside it. Longer than most files because it is the whole
// list.
#include "autograd/functions.h"

#include <cstring>
#include <utility>

#include "autograd/node.h"
#include "base/log.h"
#include "base/thread_pool.h"
#include "kernels/cross_entropy/cross_entropy.h"
#include "kernels/embedding/embedding.h"
#include "kernels/layer_norm/layer_norm.h"
#include "kernels/reduce/reduce.h"
#include "kernels/rms_norm/rms_norm.h"
#include "kernels/softmax/softmax.h"

namespace quern {
namespace {

// [R, E] where b's shape is a's innermost axes, E = b.elements(); [1, E] for equal shapes. CHECKs that they fit.
Shape BroadcastRows(const char* op, const Tensor& a, const Tensor& b) {
  int extra = a.rank() - b.rank();
  bool fits = extra >= 0;
  for (int i = 0; fits && i < b.rank(); ++i) fits = a.dim(extra + i) == b.dim(i);
  CHECK(fits) << op << ": equal shapes, or b the innermost axes of a; got a=" << a << ", b=" << b;
  int64_t inner = b.elements();
  return {inner > 0 ? a.elements() / inner : 0, inner};
}

// Most kernels take contiguous tensors; a slice of a wider row is copied for them.
Tensor Dense(const Var& x) { return x.value().Contiguous(); }

// `row` repeated: [R, E].
Tensor RepeatRow(const Tensor& row, const Shape& shape) {
  Tensor out = Tensor::Empty(shape, DType::kF32, row.device());
  for (int64_t n = 0; n < shape[0]; ++n) {
    Tensor to = out.Slice(0, n, n + 1);
    to.CopyFrom(row.Reshape({1, shape[1]}));
  }
  return out;
}

}  // namespace

Var Add(const Var& a, const Var& b) {
  Shape rows = BroadcastRows("Add", a.value(), b.value());
  bool equal = a.shape() == b.shape();
  Tensor sum =
      equal ? Add(Dense(a), Dense(b)) : AddRow(Dense(a).Reshape(rows), Dense(b).Reshape({rows[1]})).Reshape(a.shape());
  return Record("Add", sum, {a, b}, [equal, rows](const Tensor& dy, Grads& out) {
    if (out[0].wanted()) out[0].Give(dy);
    if (!out[1].wanted()) return;
    if (equal) {
      out[1].Give(dy);
    } else {
      SumRows(dy.Reshape(rows), out[1]);
    }
  });
}

Var Mul(const Var& a, const Var& b) {
  Shape rows = BroadcastRows("Mul", a.value(), b.value());
  bool equal = a.shape() == b.shape();
  Tensor x = Dense(a), factor = equal ? Dense(b) : RepeatRow(Dense(b), rows).Reshape(a.shape());
  return Record("Mul", Mul(x, factor), {a, b}, [equal, rows, x, factor](const Tensor& dy, Grads& out) {
    if (out[0].wanted()) MulTo(dy, factor, out[0]);
    if (!out[1].wanted()) return;
    if (equal) {
      MulTo(dy, x, out[1]);
    } else {
      SumRows(Mul(dy, x).Reshape(rows), out[1]);
    }
  });
}

Var Scale(const Var& x, float factor) {
  return Record("Scale", Scale(Dense(x), factor), {x},
                [factor](const Tensor& dy, Grads& out) { ScaleTo(dy, factor, out[0]); }, {.over_dy = true});
}

Var Linear(const Var& x, const Var& weight, WeightLayout layout, const Var& bias, const PackedMatrix* packed,
           const Var& residual) {
  Tensor b = bias.defined() ? bias.value() : Tensor(), addend = residual.defined() ? residual.value() : Tensor();
  bool use_packed = packed != nullptr && packed->defined() && packed->version == weight.value().version();
  Tensor y = use_packed ? Linear(x.value(), *packed, b, addend) : Linear(x.value(), weight.value(), layout, b, addend);
  return Record("Linear", y, {x, weight, bias, residual},
                [x = x.value(), w = weight.value(), layout](const Tensor& dy, Grads& out) {
                  if (out[3].wanted()) out[3].Give(dy);
                  LinearBackward(dy, x, w, layout, out[0], out[1], out[2]);
                });
}

Var Matmul(MatmulKind kind, const Var& a, const Var& b) {
  return Record("Matmul", Matmul(kind, a.value(), b.value()), {a, b},
                [kind, a = a.value(), b = b.value()](const Tensor& dc, Grads& out) {
                  switch (kind) {
                    case MatmulKind::kNN:  // c = a b
                      if (out[0].wanted()) MatmulTo(MatmulKind::kNT, dc, b, out[0]);
                      if (out[1].wanted()) MatmulTo(MatmulKind::kTN, a, dc, out[1]);
                      break;
                    case MatmulKind::kNT:  // c = a b^T
                      if (out[0].wanted()) MatmulTo(MatmulKind::kNN, dc, b, out[0]);
                      if (out[1].wanted()) MatmulTo(MatmulKind::kTN, dc, a, out[1]);
                      break;
                    case MatmulKind::kTN:  // c = a^T b
                      if (out[0].wanted()) MatmulTo(MatmulKind::kNT, b, dc, out[0]);
                      if (out[1].wanted()) MatmulTo(MatmulKind::kNN, a, dc, out[1]);
                      break;
                  }
                });
}

Var Embedding(const Var& table, const Tensor& ids) {
  return Record("Embedding", Embedding(table.value(), ids), {table},
                [ids](const Tensor& dy, Grads& out) { EmbeddingBackward(dy, ids, out[0]); });
}

Var RmsNorm(const Var& x, const Var& weight, float eps) {
  Tensor dense = Dense(x);
  RmsNormResult r = RmsNorm(dense, weight.value(), eps);
  return Record("RmsNorm", r.y, {x, weight},
                [x = dense, w = weight.value(), rstd = r.rstd](const Tensor& dy, Grads& out) {
                  RmsNormBackward(dy, x, w, rstd, out[0], out[1]);
                });
}

Var LayerNorm(const Var& x, const Var& weight, const Var& bias, float eps) {
  Tensor dense = Dense(x);
  LayerNormResult r = LayerNorm(dense, weight.value(), bias.defined() ? bias.value() : Tensor(), eps);
  return Record("LayerNorm", r.y, {x, weight, bias},
                [x = dense, w = weight.value(), mean = r.mean, rstd = r.rstd](const Tensor& dy, Grads& out) {
                  LayerNormBackward(dy, x, w, mean, rstd, out[0], out[1], out[2]);
                });
}

Var Gelu(const Var& x, GeluKind kind) {
  Tensor dense = Dense(x), y = Gelu(dense, kind);
  return Record("Gelu", y, {x},
                [x = dense, y, kind](const Tensor& dy, Grads& out) { GeluBackward(dy, x, y, kind, out[0]); },
                {.over_dy = true});
}

Var Silu(const Var& x) {
  Tensor dense = Dense(x);
  return Record("Silu", Silu(dense), {x}, [x = dense](const Tensor& dy, Grads& out) { SiluBackward(dy, x, out[0]); },
                {.over_dy = true});
}

Var SwiGlu(const Var& gate, const Var& up) {
  Tensor dense_gate = Dense(gate), dense_up = Dense(up);
  return Record("SwiGlu", SwiGlu(dense_gate, dense_up), {gate, up},
                [gate = dense_gate, up = dense_up](const Tensor& dy, Grads& out) {
                  SwiGluBackward(dy, gate, up, out[0], out[1]);
                },
                {.over_dy = true});
}

Var Dropout(const Var& x, float p, const DropoutDraw& draw) {
  if (p == 0) return x;
  return Record("Dropout", Dropout(Dense(x), p, draw), {x},
                [p, draw](const Tensor& dy, Grads& out) { DropoutBackward(dy, p, draw, out[0]); }, {.over_dy = true});
}

Var Softmax(const Var& x) {
  Tensor y = Softmax(Dense(x));
  return Record("Softmax", y, {x}, [y](const Tensor& dy, Grads& out) { SoftmaxBackward(dy, y, out[0]); });
}

Var LogSoftmax(const Var& x) {
  Tensor y = LogSoftmax(Dense(x));
  return Record("LogSoftmax", y, {x}, [y](const Tensor& dy, Grads& out) { LogSoftmaxBackward(dy, y, out[0]); });
}

Var Rope(const Var& x, std::vector<int32_t> positions, const RopeTable& table, RopePairing pairing) {
  Tensor y = Rope(x.value(), std::span<const int32_t>(positions), table, pairing);
  return Record("Rope", y, {x}, [positions = std::move(positions), table, pairing](const Tensor& dy, Grads& out) {
    RopeBackward(dy, std::span<const int32_t>(positions), table, pairing, out[0]);
  });
}

Var Attention(const Var& q, const Var& k, const Var& v, const AttentionLayout& layout, float scale) {
  CHECK(layout.past.empty()) << "Attention: no gradient flows into a cache; use AttentionCached under NoGrad.";
  AttentionResult r = Attention(q.value(), k.value(), v.value(), layout, scale);
  return Record(
      "Attention", r.out, {q, k, v},
      [q = q.value(), k = k.value(), v = v.value(), r, scale,
       starts = std::vector<int32_t>(layout.starts.begin(), layout.starts.end())](const Tensor& dy, Grads& out) {
        AttentionBackward(dy, q, k, v, r, {starts, {}, {}, {}}, scale, out[0], out[1], out[2]);
      },
      {.strided = true});
}

Var Reshape(const Var& x, const Shape& shape) {
  return RecordView("Reshape", x.value().Reshape(shape), x, 0, x.value().rank() > 0 ? x.dim(-1) : 1);
}

Var SliceColumns(const Var& x, int64_t begin, int64_t end) {
  return RecordView("SliceColumns", x.value().Slice(-1, begin, end), x, begin, end);
}

Var SelectRows(const Var& x, std::vector<int32_t> rows) {
  CHECK(x.value().rank() == 2) << "SelectRows: [N, C]; got " << x.value();
  int64_t n = x.dim(0), cols = x.dim(1);
  Tensor y = Tensor::Empty({static_cast<int64_t>(rows.size()), cols}, DType::kF32, x.value().device());
  for (size_t i = 0; i < rows.size(); ++i) {
    CHECK(rows[i] >= 0 && rows[i] < n && (i == 0 || rows[i] > rows[i - 1]))
        << "SelectRows: row " << rows[i] << " of " << x.value();
    Tensor to = y.Slice(0, i, i + 1);
    to.CopyFrom(x.value().Slice(0, rows[i], rows[i] + 1));
  }
  return Record("SelectRows", y, {x}, [n, cols, rows = std::move(rows)](const Tensor& dy, Grads& out) {
    Tensor dx = Tensor::Zeros({n, cols}, DType::kF32);
    for (size_t i = 0; i < rows.size(); ++i) {
      Tensor to = dx.Slice(0, rows[i], rows[i] + 1);
      to.CopyFrom(dy.Slice(0, i, i + 1));
    }
    out[0].Give(dx);
  });
}

Var Sum(const Var& x) {
  Tensor sum = Tensor::Of({static_cast<float>(Sum(Dense(x)))}, {});
  return Record("Sum", sum, {x}, [shape = x.shape()](const Tensor& dy, Grads& out) {
    Tensor dx = Tensor::Empty(shape, DType::kF32);
    Fill(dx, dy.data<float>()[0]);
    out[0].Give(dx);
  });
}

Var Mean(const Var& x) { return Scale(Sum(x), 1.0f / static_cast<float>(x.value().elements())); }

Var CrossEntropy(const Var& logits, const Tensor& targets, float scale) {
  if (!GradEnabled() || !logits.requires_grad()) {
    return Var(Tensor::Of({static_cast<float>(Sum(CrossEntropy(Dense(logits), targets)) * scale)}, {}));
  }
  // The logits are not needed again once their gradient is known, so it takes their place where nobody else holds them.
  VarNode& node = *logits.node();
  bool in_place =
      !node.leaf() && node.view_parent == nullptr && logits.node().use_count() == 1 && node.value.storage().unique();
  Tensor dlogits = in_place ? node.value : node.value.Clone();
  Tensor losses = CrossEntropyInPlace(dlogits, targets, scale);
  if (in_place) node.version = node.value.version();
  Tensor sum = Tensor::Of({static_cast<float>(Sum(losses) * scale)}, {});
  return Record("CrossEntropy", sum, {logits}, [dlogits](const Tensor& dy, Grads& out) {
    float upstream = dy.data<float>()[0];
    if (upstream == 1.0f) {
      out[0].Give(dlogits);
    } else {
      ScaleTo(dlogits, upstream, out[0]);
    }
  });
}

}  // namespace quern
