#include "base/status_macros.h"
#include "kernels/rope/rope.h"
#include "tests/op_vectors/adapters.h"
#include "tests/op_vectors/axes.h"

namespace quern::op_vectors {
namespace {

struct Angles {
  RopeTable table;
  std::vector<int32_t> positions;  // per token
};

// Tables of positions, or of every token, which is its own position then.
absl::StatusOr<Angles> Read(const OpCase& op, const Shape& tokens, int64_t half) {
  Angles a;
  ASSIGN_OR_RETURN(a.table.cos, op.Floats(1));
  ASSIGN_OR_RETURN(a.table.sin, op.Floats(2));
  const Shape& shape = a.table.cos.shape();
  const bool by_position = op.Has(3);
  if (a.table.sin.shape() != shape || shape.rank() != (by_position ? 2 : 3) || shape.dim(-1) != half) {
    return absl::InvalidArgumentError("tables are [positions, D/2], or [B, S, D/2] without position_ids");
  }
  if (by_position) {
    ASSIGN_OR_RETURN(const std::vector<int64_t> ids, op.Ints(3));
    for (int64_t id : ids) {
      if (id < 0 || id >= shape.dim(0)) return absl::InvalidArgumentError("a position outside the tables");
      a.positions.push_back(static_cast<int32_t>(id));
    }
  } else {
    a.table = {a.table.cos.Reshape({-1, half}), a.table.sin.Reshape({-1, half})};
    for (int64_t n = 0; n < a.table.cos.dim(0); ++n) a.positions.push_back(static_cast<int32_t>(n));
  }
  if (static_cast<int64_t>(a.positions.size()) != tokens.elements()) {
    return absl::InvalidArgumentError("a position for each token");
  }
  return a;
}

}  // namespace

// [B, H, S, D], or [B, S, H D] with num_heads.
Outputs RotaryEmbedding(const OpCase& op) {
  ASSIGN_OR_RETURN(const Tensor given, op.Floats(0));
  const int64_t heads = given.rank() == 4 ? given.dim(1) : op.Int("num_heads", 0);
  if (given.rank() != 4 && (given.rank() != 3 || heads <= 0 || given.dim(2) % heads != 0)) {
    return absl::InvalidArgumentError("x is [B, H, S, D], or [B, S, H D] with num_heads");
  }
  const Tensor x = given.rank() == 4 ? Permuted(given, {0, 2, 1, 3}) : given;  // [B, S, H, D]
  const Shape tokens = {x.dim(0), x.dim(1)};
  const int64_t dim = given.rank() == 4 ? given.dim(3) : given.dim(2) / heads;
  const int64_t asked = op.Int("rotary_embedding_dim", 0), turned = asked == 0 ? dim : asked;
  if (turned < 0 || turned > dim || turned % 2 != 0) return absl::InvalidArgumentError("rotary_embedding_dim");
  ASSIGN_OR_RETURN(const Angles a, Read(op, tokens, turned / 2));
  // Channels beyond rotary_embedding_dim stay as they are.
  Tensor y = x.Reshape({tokens.elements(), heads, dim}).Clone();
  Tensor part = y.Slice(2, 0, turned);
  part.CopyFrom(Rope(y.Slice(2, 0, turned), a.positions, a.table,
                     op.Int("interleaved", 0) != 0 ? RopePairing::kInterleaved : RopePairing::kHalves));
  if (given.rank() == 3) return std::vector<Tensor>{y.Reshape(given.shape())};
  return std::vector<Tensor>{Permuted(y.Reshape({tokens.dim(0), tokens.dim(1), heads, dim}), {0, 2, 1, 3})};
}

}  // namespace quern::op_vectors
