#include "kernels/attention/attention.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "base/log.h"
#include "base/thread_pool.h"
#include "kernels/attention/attention_args.h"
#include "kernels/isa.h"

namespace quern {
namespace {

constexpr PerIsa<decltype(ref::AttentionStore)> kStore = {ref::AttentionStore, avx2::AttentionStore,
                                                          avx512::AttentionStore};
constexpr PerIsa<decltype(ref::Attend)> kAttend = {ref::Attend, avx2::Attend, avx512::Attend};
constexpr PerIsa<decltype(ref::AttentionBackward)> kBackward = {ref::AttentionBackward, avx2::AttentionBackward,
                                                                avx512::AttentionBackward};

// Multiply-adds that are worth a thread of their own, and floats to copy that are.
constexpr int64_t kGrain = 256 * 1024;
constexpr int64_t kCopyGrain = 16 * 1024;
// Query rows of one item: few enough that a long sequence is shared by all threads.
constexpr int64_t kItemRows = 64;

bool Rows(const Tensor& t, int64_t rows, int64_t dim) {
  return t.rank() == 3 && t.dtype() == DType::kF32 && t.device().is_cpu() && t.dim(0) == rows && t.dim(2) == dim &&
         (t.stride(2) == 1 || dim == 1);
}

void CheckInputs(const char* op, const Tensor& q, const Tensor& k, const Tensor& v, const AttentionLayout& layout) {
  CHECK(q.rank() == 3 && Rows(q, q.dim(0), q.dim(2)) && q.dim(2) > 0 && q.dim(1) > 0)
      << op << ": q is f32 [N, H, D] on the CPU, contiguous in D; got q=" << q;
  CHECK(Rows(k, q.dim(0), q.dim(2)) && Rows(v, q.dim(0), q.dim(2)) && k.dim(1) == v.dim(1))
      << op << ": k and v are f32 [N, Hkv, D], contiguous in D; got q=" << q << ", k=" << k << ", v=" << v;
  CHECK(k.dim(1) > 0 && q.dim(1) % k.dim(1) == 0) << op << ": H is a multiple of Hkv; got q=" << q << ", k=" << k;
  CHECK(!layout.starts.empty() && layout.starts.front() == 0 && layout.starts.back() == q.dim(0) &&
        std::is_sorted(layout.starts.begin(), layout.starts.end()))
      << op << ": starts ascend from 0 to N; got q=" << q << ", " << layout.starts.size() << " starts";
}

void CheckCache(const KvBlocks& cache, const Tensor& k, const AttentionLayout& layout) {
  CHECK(cache.k.rank() == 4 && cache.k.contiguous() && cache.v.contiguous() && cache.k.dim(0) == cache.v.dim(0) &&
        cache.k.shape() == Shape({cache.k.dim(0), k.dim(1), k.dim(2), kKeyBlock}) &&
        cache.v.shape() == Shape({cache.k.dim(0), k.dim(1), kKeyBlock, k.dim(2)}))
      << "AttentionCached: the cache is MakeKvBlocks(blocks, Hkv, D); got k=" << k << ", cache.k=" << cache.k
      << ", cache.v=" << cache.v;
  size_t sequences = layout.starts.size() - 1;
  CHECK(layout.past.size() == sequences && layout.block_starts.size() == sequences + 1)
      << "AttentionCached: past and block_starts have an entry per sequence; got " << sequences << " sequences, "
      << layout.past.size() << " past, " << layout.block_starts.size() << " block_starts";
  CHECK(layout.block_starts.front() >= 0 && layout.block_starts.back() <= static_cast<int64_t>(layout.block_ids.size()))
      << "AttentionCached: block_starts lie within the " << layout.block_ids.size() << " block_ids";
  for (size_t s = 0; s < sequences; ++s) {
    int64_t rows = layout.starts[s + 1] - layout.starts[s], keys = layout.past[s] + rows;
    CHECK(layout.past[s] >= 0 &&
          (rows == 0 || keys <= (layout.block_starts[s + 1] - layout.block_starts[s]) * kKeyBlock))
        << "AttentionCached: sequence " << s << " needs blocks for " << keys << " keys; got "
        << layout.block_starts[s + 1] - layout.block_starts[s];
  }
  for (int32_t id : layout.block_ids.subspan(layout.block_starts.front(),
                                             layout.block_starts.back() - layout.block_starts.front())) {
    CHECK(id >= 0 && id < cache.k.dim(0)) << "AttentionCached: block id " << id << "; got cache.k=" << cache.k;
  }
}

AttentionArgs MakeArgs(const Tensor& q, const Tensor& k, const Tensor& v, KvBlocks& cache, Tensor& out, float scale) {
  AttentionArgs args{};
  args.q = q.data<float>(), args.q_token = q.stride(0), args.q_head = q.stride(1);
  args.key = k.data<float>(), args.key_token = k.stride(0), args.key_head = k.stride(1);
  args.value = v.data<float>(), args.value_token = v.stride(0), args.value_head = v.stride(1);
  args.k_blocks = cache.k.mutable_data<float>();
  args.v_blocks = cache.v.mutable_data<float>();
  args.out = out.mutable_data<float>();
  args.heads = q.dim(1), args.kv_heads = k.dim(1), args.dim = q.dim(2);
  args.scale = scale;
  return args;
}

// Items with the cost of each; ForEach runs them in parts of about equal cost, so a long sequence is shared too.
template <typename Item>
class Work {
 public:
  void Add(const Item& item, int64_t cost) {
    items_.push_back(item);
    middles_.push_back(total_ + cost / 2);
    total_ += cost;
  }
  // body(item, part): parts run at the same time, each in order. At most Parts() of them.
  template <typename Body>
  void ForEach(const Body& body) const {
    int64_t parts = Parts();
    ParallelFor(parts, 1, [&](int64_t begin, int64_t end) {
      for (int64_t part = begin; part < end; ++part) {
        for (size_t i = First(part, parts), last = First(part + 1, parts); i < last; ++i) body(items_[i], part);
      }
    });
  }
  int64_t Parts() const { return std::clamp<int64_t>(total_ / kGrain, 1, ThreadPool::Current().threads()); }

 private:
  size_t First(int64_t part, int64_t parts) const {
    if (part == parts) return items_.size();
    return static_cast<size_t>(std::lower_bound(middles_.begin(), middles_.end(), total_ / parts * part) -
                               middles_.begin());
  }

  std::vector<Item> items_;
  std::vector<int64_t> middles_;
  int64_t total_ = 0;
};

// Writes k and v to the blocks, then attends.
void StoreAndAttend(const AttentionArgs& args, const AttentionLayout& layout) {
  const int64_t group = args.heads / args.kv_heads, sequences = static_cast<int64_t>(layout.starts.size()) - 1;
  std::vector<AttentionItem> stores;
  Work<AttentionItem> attends;
  for (int64_t s = 0; s < sequences; ++s) {
    int64_t tokens = layout.starts[s + 1] - layout.starts[s], rows = tokens * group;
    if (tokens == 0) continue;
    for (int64_t h = 0; h < args.kv_heads; ++h) {
      AttentionItem item{layout.block_ids.data() + layout.block_starts[s],
                         layout.starts[s],
                         layout.past.empty() ? 0 : layout.past[s],
                         h,
                         0,
                         tokens};
      stores.push_back(item);
      for (item.begin = 0; item.begin < rows; item.begin = item.end) {
        item.end = std::min(item.begin + kItemRows, rows);
        int64_t keys = item.past + (item.begin + item.end) / (2 * group) + 1;
        attends.Add(item, (item.end - item.begin) * keys * args.dim * 2);
      }
    }
  }
  auto* store = kStore.Pick();
  int64_t floats = layout.starts.back() * args.dim / std::max<int64_t>(1, sequences);
  ParallelFor(static_cast<int64_t>(stores.size()), kCopyGrain / (floats + 1) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) store(args, stores[i]);
  });
  auto* attend = kAttend.Pick();
  const int64_t floats_a_part = AttendScratch(args.dim);
  Tensor scratch = Tensor::Empty({attends.Parts(), floats_a_part}, DType::kF32);
  float* memory = scratch.mutable_data<float>();
  attends.ForEach([&](const AttentionItem& item, int64_t part) { attend(args, item, memory + part * floats_a_part); });
}

}  // namespace

KvBlocks MakeKvBlocks(int64_t blocks, int64_t kv_heads, int64_t head_dim) {
  return {Tensor::Empty({blocks, kv_heads, head_dim, kKeyBlock}, DType::kF32),
          Tensor::Empty({blocks, kv_heads, kKeyBlock, head_dim}, DType::kF32)};
}

AttentionResult Attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionLayout& layout,
                          float scale) {
  CheckInputs("Attention", q, k, v, layout);
  CHECK(layout.past.empty()) << "Attention: has no past; use AttentionCached.";
  AttentionResult result{Tensor::Empty(q.shape(), DType::kF32), Tensor::Empty({q.dim(0), q.dim(1)}, DType::kF32)};
  if (q.dim(0) == 0) return result;
  // A cache for this call only: from here on there is one way to attend.
  std::vector<int32_t> block_starts = {0};
  for (size_t s = 1; s < layout.starts.size(); ++s) {
    block_starts.push_back(static_cast<int32_t>(block_starts.back() +
                                                (layout.starts[s] - layout.starts[s - 1] + kKeyBlock - 1) / kKeyBlock));
  }
  std::vector<int32_t> ids(block_starts.back());
  std::iota(ids.begin(), ids.end(), 0);
  KvBlocks scratch = MakeKvBlocks(block_starts.back(), k.dim(1), k.dim(2));
  AttentionArgs args = MakeArgs(q, k, v, scratch, result.out, scale);
  args.lse = result.lse.mutable_data<float>();
  StoreAndAttend(args, {layout.starts, {}, block_starts, ids});
  return result;
}

Tensor AttentionCached(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionLayout& layout, float scale,
                       KvBlocks& cache) {
  CheckInputs("AttentionCached", q, k, v, layout);
  CheckCache(cache, k, layout);
  Tensor out = Tensor::Empty(q.shape(), DType::kF32);
  if (q.dim(0) == 0) return out;
  StoreAndAttend(MakeArgs(q, k, v, cache, out, scale), layout);
  return out;
}

void AttentionBackward(const Tensor& dout, const Tensor& q, const Tensor& k, const Tensor& v,
                       const AttentionResult& forward, const AttentionLayout& layout, float scale, Slot& dq, Slot& dk,
                       Slot& dv) {
  CheckInputs("AttentionBackward", q, k, v, layout);
  CHECK(Rows(dout, q.dim(0), q.dim(2)) && dout.dim(1) == q.dim(1))
      << "AttentionBackward: dout is like q; got dout=" << dout << ", q=" << q;
  CHECK(forward.out.shape() == q.shape() && forward.out.contiguous() &&
        forward.lse.shape() == Shape({q.dim(0), q.dim(1)}))
      << "AttentionBackward: out and lse are the forward pass's; got q=" << q << ", out=" << forward.out
      << ", lse=" << forward.lse;
  AttentionBackwardArgs args{};
  args.q = q.data<float>(), args.q_token = q.stride(0), args.q_head = q.stride(1);
  args.k = k.data<float>(), args.k_token = k.stride(0), args.k_head = k.stride(1);
  args.v = v.data<float>(), args.v_token = v.stride(0), args.v_head = v.stride(1);
  args.out = forward.out.data<float>(), args.lse = forward.lse.data<float>();
  args.dout = dout.data<float>(), args.dout_token = dout.stride(0), args.dout_head = dout.stride(1);
  auto take = [&](const char* name, Slot& slot, const Tensor& like, float** to, int64_t* token, int64_t* head,
                  bool* add) {
    if (!slot.wanted()) return;
    Tensor& t = slot.destination();
    CHECK(Rows(t, like.dim(0), like.dim(2)) && t.dim(1) == like.dim(1))
        << "AttentionBackward: " << name << " is f32 like its input, contiguous in D; got " << name << "=" << t
        << ", input=" << like;
    *to = t.mutable_data<float>(), *token = t.stride(0), *head = t.stride(1), *add = slot.accumulate();
  };
  take("dq", dq, q, &args.dq, &args.dq_token, &args.dq_head, &args.add_dq);
  take("dk", dk, k, &args.dk, &args.dk_token, &args.dk_head, &args.add_dk);
  take("dv", dv, v, &args.dv, &args.dv_token, &args.dv_head, &args.add_dv);
  args.heads = q.dim(1), args.kv_heads = k.dim(1), args.dim = q.dim(2);
  args.scale = scale;
  if (q.dim(0) == 0 || (args.dq == nullptr && args.dk == nullptr && args.dv == nullptr)) return;
  Work<AttentionBackwardItem> work;
  int64_t longest = 0;
  for (size_t s = 1; s < layout.starts.size(); ++s) {
    int64_t tokens = layout.starts[s] - layout.starts[s - 1];
    longest = std::max(longest, tokens);
    for (int64_t h = 0; tokens > 0 && h < args.kv_heads; ++h) {
      work.Add({layout.starts[s - 1], tokens, h}, tokens * tokens * args.heads / args.kv_heads * args.dim * 5 / 2);
    }
  }
  auto* backward = kBackward.Pick();
  const int64_t floats = AttentionBackwardScratch(longest * args.heads / args.kv_heads, args.dim);
  Tensor scratch = Tensor::Empty({work.Parts(), floats}, DType::kF32);
  float* memory = scratch.mutable_data<float>();
  work.ForEach([&](const AttentionBackwardItem& item, int64_t part) { backward(args, item, memory + part * floats); });
}

}  // namespace quern
