#include "kernels/attention/attention.h"

#include <algorithm>
#include <numeric>
#include <span>
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
constexpr PerIsa<decltype(ref::AttendSpan)> kSpan = {nullptr, avx2::AttendSpan, avx512::AttendSpan};
constexpr PerIsa<decltype(ref::AttendMerge)> kMerge = {nullptr, avx2::AttendMerge, avx512::AttendMerge};
constexpr PerIsa<decltype(ref::AttentionBackward)> kBackward = {ref::AttentionBackward, avx2::AttentionBackward,
                                                                avx512::AttentionBackward};

static_assert(kKeyBlock == kAttentionBlock);

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

AttentionArgs MakeArgs(const Tensor& q, const Tensor& k, const Tensor& v, Tensor& out, float scale) {
  AttentionArgs args{};
  args.q = q.data<float>(), args.q_token = q.stride(0), args.q_head = q.stride(1);
  args.key = k.data<float>(), args.key_token = k.stride(0), args.key_head = k.stride(1);
  args.value = v.data<float>(), args.value_token = v.stride(0), args.value_head = v.stride(1);
  args.out = out.mutable_data<float>();
  args.heads = q.dim(1), args.kv_heads = k.dim(1), args.dim = q.dim(2);
  args.scale = scale;
  return args;
}

// Items and what all of them cost: a long sequence is shared too. No result depends on who takes which.
template <typename Item>
class Work {
 public:
  void Add(const Item& item, int64_t cost) {
    items_.push_back(item);
    total_ += cost;
  }
  // body(items, part), any number of times for each part; parts run at the same time. There are Parts() of them.
  template <typename Body>
  void ForEachPart(const Body& body) const {
    const int parts = static_cast<int>(Parts());
    const int64_t count = static_cast<int64_t>(items_.size());
    WorkShares shares(parts);
    shares.Cut(count, parts, /*grain=*/1, /*most=*/count);
    ParallelFor(parts, 1, [&](int64_t begin, int64_t end) {
      for (int64_t part = begin; part < end; ++part) {
        for (int64_t first, last; shares.Take(static_cast<int>(part), &first, &last);) {
          body(std::span<const Item>(items_).subspan(first, last - first), part);
        }
      }
    });
  }
  std::span<const Item> items() const { return items_; }
  int64_t Parts() const { return std::clamp<int64_t>(total_ / kGrain, 1, ThreadPool::Current().threads()); }

 private:
  std::vector<Item> items_;
  int64_t total_ = 0;
};

// Query rows of every (sequence, key-value head), kItemRows at a time.
Work<AttentionItem> CutQueries(const AttentionArgs& args, const AttentionLayout& layout) {
  const int64_t group = args.heads / args.kv_heads;
  Work<AttentionItem> work;
  for (size_t s = 0; s + 1 < layout.starts.size(); ++s) {
    const int64_t rows = (layout.starts[s + 1] - layout.starts[s]) * group;
    AttentionItem item{};
    item.token = layout.starts[s];
    if (!layout.past.empty()) {
      item.past = layout.past[s];
      item.blocks = layout.block_ids.data() + layout.block_starts[s];
    }
    for (item.kv_head = 0; item.kv_head < args.kv_heads; ++item.kv_head) {
      for (item.begin = 0; item.begin < rows; item.begin = item.end) {
        item.end = std::min(item.begin + kItemRows, rows);
        int64_t keys = item.past + (item.begin + item.end) / (2 * group) + 1;
        work.Add(item, (item.end - item.begin) * keys * args.dim * 2);
      }
    }
  }
  return work;
}

// Without a cache, each part packs the keys and values of a (sequence, key-value head) when it gets there, into blocks
// of its own that stay in the processor's cache. From there on there is one way to attend.
void AttendWithoutCache(const AttentionArgs& args, const AttentionLayout& layout) {
  int64_t longest = 0;
  for (size_t s = 1; s < layout.starts.size(); ++s)
    longest = std::max<int64_t>(longest, layout.starts[s] - layout.starts[s - 1]);
  std::vector<int32_t> blocks((longest + kKeyBlock - 1) / kKeyBlock);
  std::iota(blocks.begin(), blocks.end(), 0);
  const Work<AttentionItem> work = CutQueries(args, layout);
  const int64_t packed = static_cast<int64_t>(blocks.size()) * kKeyBlock * args.dim,
                floats = 2 * packed + AttendScratch(args.dim);
  Tensor scratch = Tensor::Empty({work.Parts(), floats}, DType::kF32);
  float* memory = scratch.mutable_data<float>();
  auto* store = kStore.Pick();
  auto* attend = kAttend.Pick();
  work.ForEachPart([&](std::span<const AttentionItem> items, int64_t part) {
    AttentionArgs mine = args;
    mine.k_blocks = memory + part * floats;
    mine.v_blocks = mine.k_blocks + packed;
    mine.block_stride = kKeyBlock * args.dim;
    for (size_t i = 0; i < items.size(); ++i) {
      AttentionItem item = items[i];
      item.blocks = blocks.data();
      if (i == 0 || item.token != items[i - 1].token || item.kv_head != items[i - 1].kv_head) {
        AttentionItem all = item;
        all.begin = 0;
        all.end = *std::upper_bound(layout.starts.begin(), layout.starts.end(), item.token) - item.token;
        store(mine, all);
      }
      attend(mine, item, mine.v_blocks + packed);
    }
  });
}

void StoreAll(const AttentionArgs& args, const AttentionLayout& layout) {
  std::vector<AttentionItem> stores;
  for (size_t s = 0; s + 1 < layout.starts.size(); ++s) {
    AttentionItem item{layout.block_ids.data() + layout.block_starts[s], layout.starts[s], layout.past[s], 0, 0,
                       layout.starts[s + 1] - layout.starts[s]};
    for (; item.end > 0 && item.kv_head < args.kv_heads; ++item.kv_head) stores.push_back(item);
  }
  auto* store = kStore.Pick();
  int64_t floats = layout.starts.back() * args.kv_heads * args.dim / static_cast<int64_t>(stores.size());
  ParallelFor(static_cast<int64_t>(stores.size()), kCopyGrain / (floats + 1) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) store(args, stores[i]);
  });
}

int64_t BlocksOf(const AttentionArgs& args, const AttentionItem& item) {
  return (item.past + (item.end - 1) / (args.heads / args.kv_heads)) / kKeyBlock + 1;
}

// Blocks [first, last) of an item, and where its partial results are, in floats.
struct Span {
  AttentionItem item;
  int64_t first, last, partials;
};

// Fewer long items than keep all threads busy (decoding one sequence with few key-value heads): their blocks are shared
// too. Empty where that does not pay.
std::vector<int64_t> CutBlocks(const AttentionArgs& args, const Work<AttentionItem>& work, Work<Span>* spans) {
  constexpr int64_t kLeastBlocks = 4;
  const int64_t threads = ThreadPool::Current().threads();
  if (kSpan.Pick() == nullptr || work.Parts() == 1 || static_cast<int64_t>(work.items().size()) >= 4 * threads)
    return {};
  int64_t blocks = 0, longest = 0;
  for (const AttentionItem& item : work.items()) {
    if (item.begin > 0 || item.end > kAttendTile) return {};
    blocks += BlocksOf(args, item);
    longest = std::max(longest, BlocksOf(args, item));
  }
  const int64_t length = std::max(kLeastBlocks, blocks / (8 * threads));
  if (longest <= length) return {};
  std::vector<int64_t> partials = {0};
  for (const AttentionItem& item : work.items()) {
    const int64_t count = BlocksOf(args, item), rows = item.end - item.begin;
    for (int64_t first = 0; first < count; first += length) {
      const int64_t last = std::min(first + length, count);
      spans->Add({item, first, last, partials.back()}, rows * (last - first) * kKeyBlock * args.dim * 2);
    }
    partials.push_back(partials.back() + count * AttendPartial(rows, args.dim));
  }
  return partials;
}

void AttendInSpans(const AttentionArgs& args, std::span<const AttentionItem> items, const Work<Span>& spans,
                   const std::vector<int64_t>& partials) {
  const int64_t floats = AttendScratch(args.dim);
  Tensor scratch = Tensor::Empty({spans.Parts() * floats + partials.back()}, DType::kF32);
  float *memory = scratch.mutable_data<float>(), *results = memory + spans.Parts() * floats;
  auto* span = kSpan.Pick();
  spans.ForEachPart([&](std::span<const Span> some, int64_t part) {
    for (const Span& s : some) span(args, s.item, s.first, s.last, results + s.partials, memory + part * floats);
  });
  auto* merge = kMerge.Pick();
  for (size_t i = 0; i < items.size(); ++i) merge(args, items[i], results + partials[i], memory);
}

// With a cache: all keys and values to their places, then all queries.
void StoreAndAttend(const AttentionArgs& args, const AttentionLayout& layout) {
  StoreAll(args, layout);
  const Work<AttentionItem> work = CutQueries(args, layout);
  Work<Span> spans;
  const std::vector<int64_t> partials = CutBlocks(args, work, &spans);
  if (!partials.empty()) return AttendInSpans(args, work.items(), spans, partials);
  const int64_t floats = AttendScratch(args.dim);
  Tensor scratch = Tensor::Empty({work.Parts(), floats}, DType::kF32);
  float* memory = scratch.mutable_data<float>();
  auto* attend = kAttend.Pick();
  work.ForEachPart([&](std::span<const AttentionItem> items, int64_t part) {
    for (const AttentionItem& item : items) attend(args, item, memory + part * floats);
  });
}

// One item a (sequence, key-value head); where these are too few for the threads, dq by rows and dk, dv by blocks of
// keys apart: the probabilities are then computed twice, seven products instead of five, in the same chains.
void RunBackward(const AttentionBackwardArgs& args, const AttentionLayout& layout) {
  const int64_t group = args.heads / args.kv_heads;
  int64_t heads = 0, most_rows = 0;
  for (size_t s = 1; s < layout.starts.size(); ++s) {
    const int64_t tokens = layout.starts[s] - layout.starts[s - 1];
    heads += tokens > 0 ? args.kv_heads : 0;
    most_rows = std::max(most_rows, tokens * group);
  }
  const bool apart = 7 * heads < 5 * ThreadPool::Current().threads() && most_rows > kKeyBlock;
  AttentionBackwardArgs of_rows = args, of_keys = args;
  of_rows.dk = of_rows.dv = of_keys.dq = nullptr;
  struct Item : AttentionBackwardItem {
    const AttentionBackwardArgs* args;
  };
  Work<Item> work;
  for (size_t s = 1; s < layout.starts.size(); ++s) {
    const int64_t tokens = layout.starts[s] - layout.starts[s - 1], rows = tokens * group;
    for (int64_t h = 0; tokens > 0 && h < args.kv_heads; ++h) {
      const AttentionBackwardItem all{layout.starts[s - 1], tokens, h, 0, rows, 0, tokens};
      if (!apart) {
        work.Add({all, &args}, 5 * rows * tokens * args.dim / 2);
        continue;
      }
      for (int64_t begin = 0; args.dq != nullptr && begin < rows; begin += kAttentionBackwardTile) {
        Item item{all, &of_rows};
        item.row_begin = begin, item.row_end = std::min(begin + kAttentionBackwardTile, rows);
        item.key_end = (item.row_end + group - 1) / group;
        work.Add(item, 3 * (item.row_end - begin) * item.key_end * args.dim);
      }
      for (int64_t begin = 0; (args.dk != nullptr || args.dv != nullptr) && begin < tokens; begin += kKeyBlock) {
        Item item{all, &of_keys};
        item.key_begin = begin, item.key_end = std::min(begin + kKeyBlock, tokens);
        work.Add(item, 4 * (rows - begin * group) * (item.key_end - begin) * args.dim);
      }
    }
  }
  const int64_t floats = AttentionBackwardScratch(most_rows, args.dim);
  Tensor scratch = Tensor::Empty({work.Parts(), floats}, DType::kF32);
  float* memory = scratch.mutable_data<float>();
  auto* backward = kBackward.Pick();
  work.ForEachPart([&](std::span<const Item> items, int64_t part) {
    for (const Item& item : items) backward(*item.args, item, memory + part * floats);
  });
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
  AttentionArgs args = MakeArgs(q, k, v, result.out, scale);
  args.lse = result.lse.mutable_data<float>();
  AttendWithoutCache(args, layout);
  return result;
}

Tensor AttentionCached(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionLayout& layout, float scale,
                       KvBlocks& cache) {
  CheckInputs("AttentionCached", q, k, v, layout);
  CheckCache(cache, k, layout);
  Tensor out = Tensor::Empty(q.shape(), DType::kF32);
  if (q.dim(0) == 0) return out;
  AttentionArgs args = MakeArgs(q, k, v, out, scale);
  args.k_blocks = cache.k.mutable_data<float>();
  args.v_blocks = cache.v.mutable_data<float>();
  args.block_stride = cache.k.stride(0), args.block_head = cache.k.stride(1);
  StoreAndAttend(args, layout);
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
  RunBackward(args, layout);
}

}  // namespace quern
