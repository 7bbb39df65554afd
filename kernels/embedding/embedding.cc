#include "kernels/embedding/embedding.h"

#include <cstring>
#include <vector>

#include "base/log.h"
#include "base/thread_pool.h"
#include "kernels/embedding/embedding_args.h"
#include "kernels/isa.h"

namespace quern {
namespace {

constexpr PerIsa<decltype(ref::EmbeddingRows)> kForward = {ref::EmbeddingRows, avx2::EmbeddingRows,
                                                           avx512::EmbeddingRows};
constexpr PerIsa<decltype(ref::EmbeddingBackwardPlaces)> kBackward = {
    ref::EmbeddingBackwardPlaces, avx2::EmbeddingBackwardPlaces, avx512::EmbeddingBackwardPlaces};

// Elements that are worth a thread of their own.
constexpr int64_t kGrain = 16 * 1024;

void CheckIds(const char* op, const Tensor& ids, int64_t vocabulary) {
  CHECK(ids.defined() && ids.dtype() == DType::kI32 && ids.rank() == 1 && ids.contiguous() && ids.device().is_cpu())
      << op << ": ids are contiguous i32 [N] on the CPU; got ids=" << ids;
  const int32_t* id = ids.data<int32_t>();
  for (int64_t n = 0; n < ids.elements(); ++n) {
    CHECK(id[n] >= 0 && id[n] < vocabulary)
        << op << ": ids are in [0, " << vocabulary << "); got ids[" << n << "]=" << id[n];
  }
}

void CheckMatrix(const char* op, const char* name, const Tensor& t) {
  CHECK(t.defined() && t.dtype() == DType::kF32 && t.rank() == 2 && t.contiguous() && t.device().is_cpu())
      << op << ": " << name << " is a contiguous f32 matrix on the CPU; got " << name << "=" << t;
}

// Rows sorted by id, in their order where ids are equal: a counting sort. first[v] is where id v begins, first[V] = N.
struct Buckets {
  std::vector<int64_t> first;
  std::vector<int32_t> order;
};

Buckets SortById(const Tensor& ids, int64_t vocabulary) {
  Buckets buckets;
  buckets.first.assign(static_cast<size_t>(vocabulary) + 1, 0);
  buckets.order.resize(static_cast<size_t>(ids.elements()));
  const int32_t* id = ids.data<int32_t>();
  for (int64_t n = 0; n < ids.elements(); ++n) ++buckets.first[id[n] + 1];
  for (int64_t v = 0; v < vocabulary; ++v) buckets.first[v + 1] += buckets.first[v];
  std::vector<int64_t> next = buckets.first;
  for (int64_t n = 0; n < ids.elements(); ++n) buckets.order[next[id[n]]++] = static_cast<int32_t>(n);
  return buckets;
}

}  // namespace

Tensor Embedding(const Tensor& table, const Tensor& ids) {
  CheckMatrix("Embedding", "table", table);
  CheckIds("Embedding", ids, table.dim(0));
  int64_t cols = table.dim(1);
  Tensor y = Tensor::Empty({ids.elements(), cols}, DType::kF32);
  EmbeddingArgs args{table.data<float>(), ids.data<int32_t>(), y.mutable_data<float>(), cols};
  auto* forward = kForward.Pick();
  ParallelFor(ids.elements(), kGrain / (cols + 1) + 1, [&](int64_t begin, int64_t end) { forward(args, begin, end); });
  return y;
}

void EmbeddingBackward(const Tensor& dy, const Tensor& ids, Slot& dtable) {
  if (!dtable.wanted()) return;
  Tensor& destination = dtable.destination();
  CheckMatrix("EmbeddingBackward", "dy", dy);
  CheckMatrix("EmbeddingBackward", "dtable", destination);
  int64_t vocabulary = destination.dim(0), cols = destination.dim(1);
  CHECK(dy.dim(0) == ids.elements() && dy.dim(1) == cols)
      << "EmbeddingBackward: dy is [N, C]; got dy=" << dy << ", ids=" << ids << ", dtable=" << destination;
  CheckIds("EmbeddingBackward", ids, vocabulary);
  Buckets buckets = SortById(ids, vocabulary);
  EmbeddingBackwardArgs args{};
  args.dy = dy.data<float>();
  args.ids = ids.data<int32_t>();
  args.order = buckets.order.data();
  args.dtable = destination.mutable_data<float>();
  args.count = ids.elements();
  args.cols = cols;
  args.add = dtable.accumulate();
  if (!args.add) {
    ParallelFor(vocabulary, kGrain / (cols + 1) + 1, [&](int64_t begin, int64_t end) {
      for (int64_t v = begin; v < end; ++v) {
        if (buckets.first[v] == buckets.first[v + 1]) std::memset(args.dtable + v * cols, 0, sizeof(float) * cols);
      }
    });
  }
  int64_t strips = (cols + kEmbeddingStrip - 1) / kEmbeddingStrip;
  auto* backward = kBackward.Pick();
  ParallelFor(strips * args.count, kGrain / kEmbeddingStrip,
              [&](int64_t begin, int64_t end) { backward(args, begin, end); });
}

}  // namespace quern
