#include "tests/op_vectors/op_table.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace quern {
namespace {

namespace v = op_vectors;

constexpr OpAdapter kAdapters[] = {
    {"Adam", v::Adam, "alpha beta epsilon norm_coefficient norm_coefficient_post "},
    {"Add", v::Add, ""},
    {"ArgMax", v::ArgMax, "axis keepdims select_last_index ", true},
    {"Attention", v::Attention,
     "is_causal kv_num_heads q_num_heads qk_matmul_output_mode scale softcap softmax_precision "},
    {"Cast", v::Cast, "saturate to ", true},
    {"Einsum", v::Einsum, "equation "},
    {"Erf", v::Erf, ""},
    {"Gather", v::Gather, "axis ", true},
    {"GatherElements", v::GatherElements, "axis ", true},
    {"Gelu", v::Gelu, "approximate "},
    {"Gemm", v::Gemm, "alpha beta transA transB "},
    {"LayerNormalization", v::LayerNormalization, "axis epsilon stash_type "},
    {"LogSoftmax", v::LogSoftmax, "axis "},
    {"MatMul", v::MatMul, ""},
    {"Mul", v::Mul, ""},
    {"NegativeLogLikelihoodLoss", v::NegativeLogLikelihoodLoss, "ignore_index reduction "},
    {"RMSNormalization", v::RmsNormalization, "axis epsilon stash_type "},
    {"ReduceLogSumExp", v::ReduceLogSumExp, "axes keepdims noop_with_empty_axes "},
    {"ReduceMax", v::ReduceMax, "axes keepdims noop_with_empty_axes "},
    {"ReduceMean", v::ReduceMean, "axes keepdims noop_with_empty_axes "},
    {"ReduceSum", v::ReduceSum, "axes keepdims noop_with_empty_axes "},
    {"RotaryEmbedding", v::RotaryEmbedding, "interleaved num_heads rotary_embedding_dim "},
    {"ScatterElements", v::ScatterElements, "axis reduction "},
    {"Sigmoid", v::Sigmoid, ""},
    {"Softmax", v::Softmax, "axis "},
    {"SoftmaxCrossEntropyLoss", v::SoftmaxCrossEntropyLoss, "ignore_index reduction "},
    {"SwiGLU", v::SwiGlu, ""},
    {"Swish", v::Swish, "alpha "},
    {"Tanh", v::Tanh, ""},
    {"TensorScatter", v::TensorScatter, "axis mode ", true},
    {"Transpose", v::Transpose, "perm ", true},
};

constexpr struct {
  const char *op_type, *reason;
} kOthers[] = {
    {"Adagrad", "the optimizer is AdamW"},
    {"Clip", "gradients are clipped by their norm; nothing clamps elements"},
    {"CumSum", "no running sums along an axis"},
    {"DequantizeLinear", "no integers with scale and zero point; block formats belong to GGUF"},
    {"Dropout", "every implementation drops elements of its own choice"},
    {"DynamicQuantizeLinear", "no integers with scale and zero point; block formats belong to GGUF"},
    {"Momentum", "the optimizer is AdamW"},
    {"QuantizeLinear", "no integers with scale and zero point; block formats belong to GGUF"},
    {"TopK", "the sampler orders tokens for itself; no operation returns a top k"},
    {"Where", "no selection by a condition"},
};

bool KnownDomain(const std::string& domain) {
  return domain.empty() || domain == "ai.onnx" || domain == "ai.onnx.preview.training";
}

}  // namespace

absl::StatusOr<const OpAdapter*> FindOpAdapter(const OpModel& model) {
  if (!KnownDomain(model.domain)) return Skip(absl::StrCat("operators of ", model.domain));
  for (const auto& other : kOthers) {
    if (model.op_type == other.op_type) return Skip(other.reason);
  }
  for (const OpAdapter& adapter : kAdapters) {
    if (model.op_type != adapter.op_type) continue;
    for (const auto& attribute : model.attributes) {
      if (!absl::StrContains(absl::StrCat(" ", adapter.attributes), absl::StrCat(" ", attribute.first, " "))) {
        return Skip(absl::StrCat("no ", attribute.first, " in ", model.op_type));
      }
    }
    return &adapter;
  }
  return Skip(absl::StrCat("no operation ", model.op_type));
}

}  // namespace quern
