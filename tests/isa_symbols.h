// Which symbols of a unit compiled for one instruction set could reach a machine that lacks it.
//
// An inline function or template that such a unit instantiates outside its own namespace is a weak symbol. The linker
// keeps one of all copies, perhaps the one compiled for AVX-512, and baseline code then dies of an illegal instruction.
// So a unit compiled for `isa` may define global and weak symbols in namespace quern::<isa> only.
#ifndef QUERN_TESTS_ISA_SYMBOLS_H_
#define QUERN_TESTS_ISA_SYMBOLS_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace quern {

// The instruction sets that units are compiled for (tools/bazel/kernel.bzl); the namespaces have their names.
const std::vector<std::string>& IsaNames();

// "avx512_bf16" of ".../librms_norm_cpu_avx512_bf16.a"; "" where the name ends in no instruction set.
std::string IsaOfArchive(std::string_view path);

struct ArchiveSymbols {
  int checked = 0;                   // defined global and weak symbols
  std::vector<std::string> outside;  // "W _ZSt3minIfE..." not in quern::<isa>
};

// `listing`: what `nm --defined-only --extern-only --format=posix` prints.
ArchiveSymbols CheckSymbols(std::string_view listing, std::string_view isa);
// Runs nm. Unavailable when it fails.
absl::StatusOr<ArchiveSymbols> CheckArchive(const std::string& path, std::string_view isa);

}  // namespace quern

#endif  // QUERN_TESTS_ISA_SYMBOLS_H_
