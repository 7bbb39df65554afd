#include "kernels/isa.h"

#include <atomic>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/suggest.h"

namespace quern {
namespace {

std::atomic<Isa>& Current() {
  static std::atomic<Isa> current{DetectIsa()};
  return current;
}

}  // namespace

std::string_view Name(Isa isa) {
  switch (isa) {
    case Isa::kReference:
      return "reference";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      return "avx512";
    case Isa::kAvx512Bf16:
      return "avx512_bf16";
  }
  return "?";
}

Isa DetectIsa() {
  // GCC's builtins ask XGETBV too: a set counts only where the operating system saves its registers.
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return Isa::kReference;
  bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (!avx512) return Isa::kAvx2;
  bool bf16 = __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni");
  return bf16 ? Isa::kAvx512Bf16 : Isa::kAvx512;
}

std::vector<Isa> AvailableIsas() {
  std::vector<Isa> isas;
  for (Isa isa : {Isa::kReference, Isa::kAvx2, Isa::kAvx512, Isa::kAvx512Bf16}) {
    if (isa <= DetectIsa()) isas.push_back(isa);
  }
  return isas;
}

absl::StatusOr<Isa> ParseIsa(std::string_view text) {
  if (text == "auto") return DetectIsa();
  std::vector<std::string> names = {"auto"};
  for (Isa isa : {Isa::kReference, Isa::kAvx2, Isa::kAvx512, Isa::kAvx512Bf16}) {
    names.emplace_back(Name(isa));
    if (text != Name(isa)) continue;
    if (isa <= DetectIsa()) return isa;
    return absl::FailedPreconditionError(absl::StrCat("isa ", names.back(),
                                                      " needs a processor that has it; this one goes up to ",
                                                      std::string(Name(DetectIsa())), "."));
  }
  return absl::InvalidArgumentError(absl::StrCat("isa \"", std::string(text),
                                                 "\" is not known. Use auto, reference, avx2, avx512 or avx512_bf16.",
                                                 DidYouMean(text, names)));
}

Isa CurrentIsa() { return Current().load(std::memory_order_relaxed); }

void SetIsa(Isa isa) {
  CHECK(isa <= DetectIsa()) << "SetIsa: this processor has no " << Name(isa);
  Current() = isa;
}

}  // namespace quern
