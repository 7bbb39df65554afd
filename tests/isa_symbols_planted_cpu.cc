// A unit with one proper symbol and three that tests/isa_symbols_test must find: built as a room's units are.
#include <cstdint>

inline __attribute__((noinline)) int64_t PlantedInline(int64_t x) { return x * 3; }

namespace quern {

template <typename T>
__attribute__((noinline)) T PlantedTemplate(T x) {
  return x + x;
}

int64_t PlantedGlobal(int64_t x) { return x; }

namespace QUERN_ISA {

int64_t Proper(int64_t x) { return PlantedInline(x) + PlantedTemplate(x) + PlantedGlobal(x); }

}  // namespace QUERN_ISA
}  // namespace quern
