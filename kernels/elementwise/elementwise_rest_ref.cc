// The specification of AddRow, Cast and Dropout: the plainest loops.
#include <bit>

#include "base/rng.h"
#include "kernels/elementwise/elementwise_args.h"
#include "tensor/dtype.h"

namespace quern {
namespace ref {

void AddRow(const AddRowArgs& args, int64_t begin, int64_t end) {
  for (int64_t i = begin * args.cols; i < end * args.cols; ++i) args.out[i] = args.a[i] + args.row[i % args.cols];
}

void Cast(const CastArgs& args, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i) {
    if (args.f32) args.to_bf16[i] = BFloat16(args.f32[i]).bits;
    if (args.bf16) args.to_f32[i] = std::bit_cast<float>(uint32_t{args.bf16[i]} << 16);
  }
}

void Dropout(const DropoutArgs& args, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i) {
    uint64_t group = args.first_group + i / 4;
    Philox4 words = Philox4x32(
        {static_cast<uint32_t>(group), static_cast<uint32_t>(group >> 32), args.counter_high[0], args.counter_high[1]},
        {args.key[0], args.key[1]});
    float y = words[i % 4] >> 8 >= args.threshold ? args.x[i] * args.scale : 0;
    args.out[i] = args.add ? args.out[i] + y : y;
  }
}

}  // namespace ref
}  // namespace quern
