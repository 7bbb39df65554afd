#include "tests/isa_symbols.h"

#include <algorithm>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace quern {
namespace {

bool Consume(std::string_view& text, std::string_view prefix) {
  if (text.substr(0, prefix.size()) != prefix) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// By the mangled name (Itanium C++ ABI): demangled text would have to be parsed.
bool IsInNamespace(std::string_view symbol, std::string_view isa) {
  if (!Consume(symbol, "_Z")) return false;
  while (Consume(symbol, "Z")) {  // a local of a function
  }
  if (!Consume(symbol, "N")) return false;
  Consume(symbol, "K");  // const member function
  return Consume(symbol, absl::StrCat("5quern", isa.size(), std::string(isa)));
}

absl::StatusOr<std::string> Run(const std::string& command) {
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return absl::UnavailableError(absl::StrCat("running ", command, ": no process"));
  std::string output;
  char buffer[4096];
  while (size_t got = fread(buffer, 1, sizeof(buffer), pipe)) output.append(buffer, got);
  const int status = pclose(pipe);
  if (status != 0) return absl::UnavailableError(absl::StrCat("running ", command, ": status ", status));
  return output;
}

}  // namespace

const std::vector<std::string>& IsaNames() {
  static const auto* names = new std::vector<std::string>{"avx512_bf16", "avx512", "avx2"};
  return *names;
}

std::string IsaOfArchive(std::string_view path) {
  for (std::string_view ending : {".pic.a", ".a"}) {
    if (path.size() > ending.size() && path.substr(path.size() - ending.size()) == ending) {
      path.remove_suffix(ending.size());
      break;
    }
  }
  for (const std::string& isa : IsaNames()) {
    const std::string ending = "_" + isa;
    if (path.size() > ending.size() && path.substr(path.size() - ending.size()) == ending) return isa;
  }
  return "";
}

ArchiveSymbols CheckSymbols(std::string_view listing, std::string_view isa) {
  ArchiveSymbols result;
  while (!listing.empty()) {
    const std::string_view line = listing.substr(0, listing.find('\n'));
    listing.remove_prefix(std::min(listing.size(), line.size() + 1));
    // "name type value size"; "lib.a[unit.o]:" before each unit.
    const size_t space = line.find(' ');
    if (space == std::string_view::npos || space + 1 >= line.size()) continue;
    const std::string_view name = line.substr(0, space);
    ++result.checked;
    if (!IsInNamespace(name, isa))
      result.outside.push_back(absl::StrCat(std::string(1, line[space + 1]), " ", std::string(name)));
  }
  return result;
}

absl::StatusOr<ArchiveSymbols> CheckArchive(const std::string& path, std::string_view isa) {
  ASSIGN_OR_RETURN(std::string listing, Run("nm --defined-only --extern-only --format=posix '" + path + "'"));
  return CheckSymbols(listing, isa);
}

}  // namespace quern
