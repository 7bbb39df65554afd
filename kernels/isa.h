// Which instruction set the CPU kernels use: chosen once, at start, from what the processor has; `--isa` overrides it.
// In f32 all vector sets give the same bits; the reference, which sums in an order of its own, is close to them
// (docs/how_it_works.md, "Bits").
#ifndef QUERN_KERNELS_ISA_H_
#define QUERN_KERNELS_ISA_H_

#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace quern {

// In rising order. kReference is the plain loops of *_ref.cc: the specification, and what runs without AVX2.
enum class Isa { kReference, kAvx2, kAvx512, kAvx512Bf16 };

// "reference", "avx2", "avx512", "avx512_bf16".
std::string_view Name(Isa isa);
// The same names, or "auto" for the best this processor has. InvalidArgument (with a suggestion) for other text,
// FailedPrecondition for a set that this processor lacks.
absl::StatusOr<Isa> ParseIsa(std::string_view text);

// The best set that this processor and operating system support.
Isa DetectIsa();
// All of them, kReference first.
std::vector<Isa> AvailableIsas();

Isa CurrentIsa();
// For the start of the process and for tests; not while kernels run. CHECKs that the processor has it.
void SetIsa(Isa isa);

// The versions of one kernel entry. A room that has no version for a set leaves it null, and the next lower one runs.
template <typename F>
struct PerIsa {
  F* reference;
  F* avx2 = nullptr;
  F* avx512 = nullptr;
  F* avx512_bf16 = nullptr;

  F* Pick() const {
    switch (CurrentIsa()) {
      case Isa::kAvx512Bf16:
        if (avx512_bf16 != nullptr) return avx512_bf16;
        [[fallthrough]];
      case Isa::kAvx512:
        if (avx512 != nullptr) return avx512;
        [[fallthrough]];
      case Isa::kAvx2:
        if (avx2 != nullptr) return avx2;
        [[fallthrough]];
      case Isa::kReference:
        break;
    }
    return reference;
  }
};

}  // namespace quern

#endif  // QUERN_KERNELS_ISA_H_
