// The specification: the plainest loops, in double. A row at a time, so that its result has no neighbours either.
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/attention/attention_args.h"

namespace quern {
namespace ref {
namespace {

constexpr int64_t kBlock = kAttentionBlock;

double Dot(const float* a, const float* b, int64_t n, int64_t b_stride) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += double{a[i]} * b[i * b_stride];
  return sum;
}

void Put(float* to, double value, bool add) { *to = static_cast<float>(add ? *to + value : value); }

}  // namespace

void AttentionStore(const AttentionArgs& args, const AttentionItem& item) {
  for (int64_t t = item.begin; t < item.end; ++t) {
    int64_t at = item.past + t, block = item.blocks[at / kBlock] * args.block_stride + item.kv_head * args.block_head;
    for (int64_t d = 0; d < args.dim; ++d) {
      args.k_blocks[block + d * kBlock + at % kBlock] =
          args.key[(item.token + t) * args.key_token + item.kv_head * args.key_head + d];
      args.v_blocks[block + at % kBlock * args.dim + d] =
          args.value[(item.token + t) * args.value_token + item.kv_head * args.value_head + d];
    }
  }
}

void Attend(const AttentionArgs& args, const AttentionItem& item, float*) {
  const int64_t group = args.heads / args.kv_heads;
  std::vector<double> p, out(args.dim);
  for (int64_t row = item.begin; row < item.end; ++row) {
    int64_t n = item.token + row / group, h = item.kv_head * group + row % group, keys = item.past + row / group + 1;
    auto block = [&](int64_t u) {
      return item.blocks[u / kBlock] * args.block_stride + item.kv_head * args.block_head;
    };
    p.resize(keys);
    for (int64_t u = 0; u < keys; ++u) {
      p[u] = args.scale *
             Dot(args.q + n * args.q_token + h * args.q_head, args.k_blocks + block(u) + u % kBlock, args.dim, kBlock);
    }
    double max = *std::max_element(p.begin(), p.end()), sum = 0;
    std::fill(out.begin(), out.end(), 0.0);
    for (int64_t u = 0; u < keys; ++u) {
      sum += p[u] = std::exp(p[u] - max);
      for (int64_t d = 0; d < args.dim; ++d) out[d] += p[u] * args.v_blocks[block(u) + u % kBlock * args.dim + d];
    }
    for (int64_t d = 0; d < args.dim; ++d)
      args.out[(n * args.heads + h) * args.dim + d] = static_cast<float>(out[d] / sum);
    if (args.lse != nullptr) args.lse[n * args.heads + h] = static_cast<float>(max + std::log(sum));
  }
}

void AttentionBackward(const AttentionBackwardArgs& args, const AttentionBackwardItem& item, float*) {
  const int64_t group = args.heads / args.kv_heads, dim = args.dim;
  std::vector<double> dq(dim), dk(item.tokens * dim), dv(item.tokens * dim);
  for (int64_t row = item.row_begin; row < item.row_end; ++row) {
    int64_t t = row / group, n = item.token + t, h = item.kv_head * group + row % group;
    const float* q = args.q + n * args.q_token + h * args.q_head;
    const float* dout = args.dout + n * args.dout_token + h * args.dout_head;
    double delta = Dot(dout, args.out + (n * args.heads + h) * dim, dim, 1);
    std::fill(dq.begin(), dq.end(), 0.0);
    for (int64_t u = item.key_begin; u < item.key_end && u <= t; ++u) {
      const float* k = args.k + (item.token + u) * args.k_token + item.kv_head * args.k_head;
      const float* v = args.v + (item.token + u) * args.v_token + item.kv_head * args.v_head;
      double p = std::exp(args.scale * Dot(q, k, dim, 1) - args.lse[n * args.heads + h]);
      double ds = p * (Dot(dout, v, dim, 1) - delta) * args.scale;
      for (int64_t d = 0; d < dim; ++d)
        dq[d] += ds * k[d], dk[u * dim + d] += ds * q[d], dv[u * dim + d] += p * dout[d];
    }
    float* to = args.dq + n * args.dq_token + h * args.dq_head;
    for (int64_t d = 0; args.dq != nullptr && d < dim; ++d) Put(to + d, dq[d], args.add_dq);
  }
  for (int64_t u = item.key_begin; u < item.key_end; ++u) {
    for (int64_t d = 0; d < dim; ++d) {
      int64_t n = item.token + u;
      if (args.dk) Put(args.dk + n * args.dk_token + item.kv_head * args.dk_head + d, dk[u * dim + d], args.add_dk);
      if (args.dv) Put(args.dv + n * args.dv_token + item.kv_head * args.dv_head + d, dv[u * dim + d], args.add_dv);
    }
  }
}

}  // namespace ref
}  // namespace quern
