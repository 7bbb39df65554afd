// ONNX's Attention through the attention room where it can be, else through the rooms that it is made of.
//
// The room is causal: row i of a sequence sees the keys before it and its own. So a causal test is one sequence, whose
// first rows (the past) are in the cache; and any other is a sequence per query, each the last row behind all keys. An
// additive mask rides along as further channels: the query's are mask / scale, the key's pick theirs out. A soft cap,
// and the matrix of scores that some tests ask for, are composed of Matmul, Scale, Tanh, Add and Softmax.
#include "kernels/attention/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/status_macros.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/matmul/matmul.h"
#include "kernels/softmax/softmax.h"
#include "tests/op_vectors/adapters.h"
#include "tests/op_vectors/axes.h"
#include "tests/op_vectors/cache.h"

namespace quern::op_vectors {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
// What a masked score becomes where infinity, times zero, would be no number: its weight is exactly 0 all the same.
constexpr float kMasked = -1e30f;

struct Problem {
  Tensor q, k, v;  // [B, L, H, D], [B, T, Hkv, D], [B, T, Hkv, Dv]; the past comes first in T
  int64_t past = 0;
  Tensor mask;                   // f32 [B, H, L, T], added to the scores, or undefined
  std::vector<int64_t> visible;  // [B]: keys that count
  std::vector<int64_t> ahead;    // [B], causal: row i sees the keys up to ahead + i
  bool causal = false;
  float scale = 1, softcap = 0;
  bool flat = false;  // [B, L, H D], not [B, H, L, D]

  int64_t batch() const { return q.dim(0); }
  int64_t rows() const { return q.dim(1); }
  int64_t heads() const { return q.dim(2); }
  int64_t keys() const { return k.dim(1); }
  int64_t kv_heads() const { return k.dim(2); }
  bool Sees(int64_t b, int64_t row, int64_t key) const {
    return key < visible[static_cast<size_t>(b)] && (!causal || key <= ahead[static_cast<size_t>(b)] + row);
  }
};

// To [B, L, H, D].
absl::StatusOr<Tensor> ByToken(const Tensor& t, int64_t heads) {
  if (t.rank() == 4) return Permuted(t, {0, 2, 1, 3});
  if (t.rank() != 3 || heads <= 0 || t.dim(2) % heads != 0) {
    return absl::InvalidArgumentError("operands are [B, H, L, D], or [B, L, H D] with q_num_heads and kv_num_heads");
  }
  return t.Reshape({t.dim(0), t.dim(1), heads, t.dim(2) / heads});
}

absl::StatusOr<Tensor> Behind(const OpCase& op, size_t past_input, const Tensor& now) {
  ASSIGN_OR_RETURN(Tensor past, op.Floats(past_input));
  ASSIGN_OR_RETURN(past, ByToken(past, 0));
  if (past.dim(0) != now.dim(0) || past.dim(2) != now.dim(2) || past.dim(3) != now.dim(3)) {
    return absl::InvalidArgumentError("the past is like the present");
  }
  Tensor all = Tensor::Empty(now.shape().With(1, past.dim(1) + now.dim(1)), DType::kF32);
  Tensor first = all.Slice(1, 0, past.dim(1)), second = all.Slice(1, past.dim(1), all.dim(1));
  first.CopyFrom(past);
  second.CopyFrom(now);
  return all;
}

// [B, H, L, T]; keys beyond the given mask are masked.
absl::StatusOr<Tensor> ReadMask(const OpCase& op, const Problem& p) {
  Tensor given;
  if (op.InputType(3) == kOnnxBool) {
    ASSIGN_OR_RETURN(Tensor allowed, op.Input(3));
    std::vector<float> values;
    for (uint8_t yes : allowed.ToVector<uint8_t>()) values.push_back(yes != 0 ? 0 : -kInf);
    given = Tensor::Of(values, allowed.shape());
  } else {
    ASSIGN_OR_RETURN(given, op.Floats(3));
  }
  if (given.rank() < 1 || given.dim(-1) > p.keys())
    return absl::InvalidArgumentError("the mask is wider than the keys");
  const Shape shape = {p.batch(), p.heads(), p.rows(), p.keys()};
  if (given.dim(-1) == 1) return BroadcastTo(given, shape);
  const int64_t width = given.dim(-1);
  ASSIGN_OR_RETURN(given, BroadcastTo(given, shape.With(3, width)));
  Tensor mask = Tensor::Empty(shape, DType::kF32), part = mask.Slice(3, 0, width);
  Fill(mask, -kInf);
  part.CopyFrom(given);
  return mask;
}

absl::Status ReadVisible(const OpCase& op, Problem& p) {
  p.visible.assign(static_cast<size_t>(p.batch()), p.keys());
  p.ahead.assign(static_cast<size_t>(p.batch()), p.past);
  if (!op.Has(6)) return absl::OkStatus();
  ASSIGN_OR_RETURN(p.visible, op.Ints(6));
  if (static_cast<int64_t>(p.visible.size()) != p.batch()) return absl::InvalidArgumentError("a length per sequence");
  for (size_t b = 0; b < p.visible.size(); ++b) {
    if (p.visible[b] < 0 || p.visible[b] > p.keys()) return absl::InvalidArgumentError("a length beyond the keys");
    p.ahead[b] = p.visible[b] - p.rows();  // the queries are the last of the sequence
  }
  return absl::OkStatus();
}

absl::StatusOr<Problem> Read(const OpCase& op) {
  Problem p;
  ASSIGN_OR_RETURN(Tensor q, op.Floats(0));
  ASSIGN_OR_RETURN(Tensor k, op.Floats(1));
  ASSIGN_OR_RETURN(Tensor v, op.Floats(2));
  p.flat = q.rank() == 3;
  ASSIGN_OR_RETURN(p.q, ByToken(q, op.Int("q_num_heads", 0)));
  ASSIGN_OR_RETURN(p.k, ByToken(k, op.Int("kv_num_heads", 0)));
  ASSIGN_OR_RETURN(p.v, ByToken(v, op.Int("kv_num_heads", 0)));
  if (op.Has(4) != op.Has(5)) return absl::InvalidArgumentError("past_key and past_value go together");
  if (op.Has(4)) {
    const int64_t now = p.k.dim(1);
    ASSIGN_OR_RETURN(p.k, Behind(op, 4, p.k));
    ASSIGN_OR_RETURN(p.v, Behind(op, 5, p.v));
    p.past = p.k.dim(1) - now;
  }
  if (p.k.dim(0) != p.batch() || p.v.dim(0) != p.batch() || p.k.dim(3) != p.q.dim(3) || p.v.dim(1) != p.keys() ||
      p.v.dim(2) != p.kv_heads() || p.heads() % p.kv_heads() != 0) {
    return absl::InvalidArgumentError("q, k and v do not go together");
  }
  // Every query may become a sequence with a copy of all keys, and with a channel for each.
  const int64_t dim = std::max(p.q.dim(3), p.v.dim(3)) + p.keys();
  RETURN_IF_ERROR(CheckSize({p.batch(), p.heads(), p.rows(), p.keys()}));
  RETURN_IF_ERROR(CheckSize({p.batch(), p.rows(), p.heads(), p.keys() + kKeyBlock, dim}));
  p.causal = op.Int("is_causal", 0) != 0;
  p.scale = op.Float("scale", 1.0f / std::sqrt(static_cast<float>(p.q.dim(3))));
  p.softcap = op.Float("softcap", 0);
  if (!std::isfinite(p.scale) || !(p.softcap >= 0)) return absl::InvalidArgumentError("scale or softcap");
  RETURN_IF_ERROR(ReadVisible(op, p));
  if (op.Has(3)) {
    ASSIGN_OR_RETURN(p.mask, ReadMask(op, p));
  }
  return p;
}

// 0 or the mask where a row sees a key, else -infinity.
Tensor WholeMask(const Problem& p) {
  Tensor whole =
      p.mask.defined() ? p.mask.Clone() : Tensor::Zeros({p.batch(), p.heads(), p.rows(), p.keys()}, DType::kF32);
  float* at = whole.mutable_data<float>();
  for (int64_t n = 0; n < whole.elements(); ++n) {
    const int64_t key = n % p.keys(), row = n / p.keys() % p.rows(), b = n / p.keys() / p.rows() / p.heads();
    if (!p.Sees(b, row, key)) at[n] = -kInf;
  }
  return whole;
}

// Softmax over no key is 0 / 0; causal attention has none such, and neither have our kernels.
absl::Status EveryRowSeesAKey(const Tensor& whole_mask) {
  const int64_t keys = whole_mask.dim(3);
  const float* at = whole_mask.data<float>();
  for (int64_t n = 0; n < whole_mask.elements(); n += keys) {
    if (std::all_of(at + n, at + n + keys, [](float m) { return m == -kInf; })) {
      return Skip("a query that may see no key; causal attention sees at least its own");
    }
    if (std::any_of(at + n, at + n + keys, [](float m) { return !(m < kInf); })) return Skip("a mask of inf or NaN");
  }
  return absl::OkStatus();
}

// [B, L, H, D] with room for `dim` channels, the rest 0.
Tensor Widened(const Tensor& t, int64_t dim) {
  Tensor wide = Tensor::Zeros(t.shape().With(3, dim), DType::kF32), part = wide.Slice(3, 0, t.dim(3));
  part.CopyFrom(t);
  return wide;
}

void AddMaskChannels(const Problem& p, int64_t first, Tensor& q, Tensor& k) {
  Tensor of_q = q.Slice(3, first, first + p.keys());  // [B, L, H, T]
  Tensor channels = Permuted(p.mask, {0, 2, 1, 3});
  float* at = channels.mutable_data<float>();
  for (int64_t i = 0; i < channels.elements(); ++i) at[i] = std::max(at[i], kMasked) / p.scale;
  of_q.CopyFrom(channels);
  for (int64_t u = 0; u < p.keys(); ++u) {
    Tensor one = k.Slice(1, u, u + 1).Slice(3, first + u, first + u + 1);
    Tensor ones = Tensor::Empty(one.shape(), DType::kF32);
    Fill(ones, 1.0f);
    one.CopyFrom(ones);
  }
}

// Rows of one sequence of a test that are a sequence of ours.
struct Run {
  int64_t batch, row, rows, past;
};

std::vector<Run> Runs(const Problem& p) {
  std::vector<Run> runs;
  for (int64_t b = 0; b < p.batch(); ++b) {
    const int64_t ahead = p.ahead[static_cast<size_t>(b)], visible = p.visible[static_cast<size_t>(b)];
    if (p.causal && ahead + p.rows() <= visible) {
      runs.push_back({b, 0, p.rows(), ahead});
      continue;
    }
    for (int64_t row = 0; row < p.rows(); ++row) {
      runs.push_back({b, row, 1, p.causal ? std::min(visible - 1, ahead + row) : visible - 1});
    }
  }
  return runs;
}

// Tokens [first, first + count) of each run, one run after the other: [N, heads, dim].
template <typename First, typename Count>
Tensor Rows(const Tensor& t, const std::vector<Run>& runs, First first, Count count) {
  int64_t total = 0, at = 0;
  for (const Run& run : runs) total += count(run);
  Tensor rows = Tensor::Empty({total, t.dim(2), t.dim(3)}, DType::kF32);
  for (const Run& run : runs) {
    Tensor to = rows.Slice(0, at, at + count(run));
    at += count(run);
    const Tensor from = t.Slice(0, run.batch, run.batch + 1).Slice(1, first(run), first(run) + count(run));
    to.CopyFrom(from.Contiguous().Reshape(to.shape()));
  }
  return rows;
}

// [B, L, H, Dv].
Tensor ThroughTheRoom(const Problem& p) {
  const int64_t mask_at = p.q.dim(3), width = mask_at + (p.mask.defined() ? p.keys() : 0);
  const int64_t dim = std::max(width, p.v.dim(3));
  Tensor q = Widened(p.q, dim), k = Widened(p.k, dim);
  const Tensor v = Widened(p.v, dim);
  if (p.mask.defined()) AddMaskChannels(p, mask_at, q, k);
  const std::vector<Run> runs = Runs(p);
  auto row = [](const Run& run) { return run.row; };
  auto rows = [](const Run& run) { return run.rows; };
  auto past = [](const Run& run) { return run.past; };
  auto none = [](const Run&) { return int64_t{0}; };
  std::vector<int64_t> lengths, pasts, zeros(runs.size(), 0);
  for (const Run& run : runs) lengths.push_back(run.rows), pasts.push_back(run.past);
  const Tensor q_rows = Rows(q, runs, row, rows), k_rows = Rows(k, runs, past, rows),
               v_rows = Rows(v, runs, past, rows);
  Tensor out;
  if (pasts == zeros) {
    std::vector<int32_t> starts = {0};
    for (int64_t length : lengths) starts.push_back(starts.back() + static_cast<int32_t>(length));
    out = quern::Attention(q_rows, k_rows, v_rows, {starts, {}, {}, {}}, p.scale).out;
  } else {
    PagedCache cache(static_cast<int64_t>(runs.size()), p.keys(), p.kv_heads(), dim);
    cache.Write(Rows(k, runs, none, past), Rows(v, runs, none, past), pasts, zeros);
    out = cache.Attend(q_rows, k_rows, v_rows, lengths, pasts, p.scale);
  }
  // Runs are in the order of batch and row.
  return out.Slice(2, 0, p.v.dim(3)).Contiguous().Reshape({p.batch(), p.rows(), p.heads(), p.v.dim(3)});
}

// One head of one sequence: [tokens, dim].
Tensor Head(const Tensor& t, int64_t b, int64_t head) {
  return t.Slice(0, b, b + 1).Slice(2, head, head + 1).Contiguous().Reshape({t.dim(1), t.dim(3)});
}

// The scores after each of its steps, [B, H, L, T] each.
struct Scores {
  Tensor scaled, capped, masked, weights;
};

Scores Compose(const Problem& p, const Tensor& whole_mask) {
  const int64_t group = p.heads() / p.kv_heads();
  Tensor products = Tensor::Empty({p.batch(), p.heads(), p.rows(), p.keys()}, DType::kF32);
  for (int64_t b = 0; b < p.batch(); ++b) {
    for (int64_t h = 0; h < p.heads(); ++h) {
      Tensor to = products.Slice(0, b, b + 1).Slice(1, h, h + 1).Reshape({p.rows(), p.keys()});
      to.CopyFrom(Matmul(MatmulKind::kNT, Head(p.q, b, h), Head(p.k, b, h / group)));
    }
  }
  Scores s;
  s.scaled = Scale(products, p.scale);
  s.capped = p.softcap > 0 ? Scale(quern::Tanh(Scale(s.scaled, 1 / p.softcap)), p.softcap) : s.scaled;
  s.masked = quern::Add(s.capped, whole_mask);
  s.weights = quern::Softmax(s.masked);
  return s;
}

// [B, L, H, Dv].
Tensor WeightedValues(const Problem& p, const Tensor& weights) {
  const int64_t group = p.heads() / p.kv_heads();
  Tensor out = Tensor::Empty({p.batch(), p.rows(), p.heads(), p.v.dim(3)}, DType::kF32);
  for (int64_t b = 0; b < p.batch(); ++b) {
    for (int64_t h = 0; h < p.heads(); ++h) {
      const Tensor w = weights.Slice(0, b, b + 1).Slice(1, h, h + 1).Reshape({p.rows(), p.keys()});
      const Tensor y = Matmul(MatmulKind::kNN, w, Head(p.v, b, h / group));
      Tensor to = out.Slice(0, b, b + 1).Slice(2, h, h + 1);
      to.CopyFrom(y.Reshape(to.shape()));
    }
  }
  return out;
}

// Keys and values as the room's cache holds them after the past and the present were written: [B, Hkv, T, D] each.
std::vector<Tensor> Present(const Problem& p) {
  const int64_t dim = std::max(p.k.dim(3), p.v.dim(3)), now = p.keys() - p.past;
  PagedCache cache(p.batch(), p.keys(), p.kv_heads(), dim);
  const Tensor k = Widened(p.k, dim), v = Widened(p.v, dim);
  auto write = [&](int64_t first, int64_t count) {
    const Shape rows = {p.batch() * count, p.kv_heads(), dim};
    auto part = [&](const Tensor& t) { return t.Slice(1, first, first + count).Contiguous().Reshape(rows); };
    const size_t batch = static_cast<size_t>(p.batch());
    cache.Write(part(k), part(v), std::vector<int64_t>(batch, count), std::vector<int64_t>(batch, first));
  };
  write(0, p.past);
  write(p.past, now);
  auto present = [](const Tensor& t, int64_t d) { return Permuted(t.Slice(3, 0, d).Contiguous(), {0, 2, 1, 3}); };
  return {present(cache.Keys(), p.k.dim(3)), present(cache.Values(), p.v.dim(3))};
}

}  // namespace

Outputs Attention(const OpCase& op) {
  ASSIGN_OR_RETURN(const Problem p, Read(op));
  const Tensor whole_mask = WholeMask(p);
  RETURN_IF_ERROR(EveryRowSeesAKey(whole_mask));
  // Where the mask's channels would be out of f32's range, too.
  const bool composed = p.softcap > 0 || (p.mask.defined() && std::abs(p.scale) < 1e-6f);
  Scores scores;
  if (composed || op.Wants(3)) scores = Compose(p, whole_mask);
  std::vector<Tensor> outputs(4);
  Tensor out = composed ? WeightedValues(p, scores.weights) : ThroughTheRoom(p);
  outputs[0] = p.flat ? out.Reshape({p.batch(), p.rows(), p.heads() * p.v.dim(3)}) : Permuted(out, {0, 2, 1, 3});
  if (op.Wants(1) || op.Wants(2)) {
    const std::vector<Tensor> present = Present(p);
    outputs[1] = present[0], outputs[2] = present[1];
  }
  const Tensor* stages[] = {&scores.scaled, &scores.capped, &scores.masked, &scores.weights};
  const int64_t mode = op.Int("qk_matmul_output_mode", 0);
  if (mode < 0 || mode > 3) return absl::InvalidArgumentError("qk_matmul_output_mode");
  outputs[3] = *stages[mode];
  return outputs;
}

}  // namespace quern::op_vectors
