// Arguments: the archives of every per-instruction-set library, and the planted ones.
#include "tests/isa_symbols.h"

#include <set>

#include "base/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/layering.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SKIP_UNDER_SANITIZERS() GTEST_SKIP() << "sanitizers add symbols of their own"
#else
#define SKIP_UNDER_SANITIZERS() (void)0
#endif

namespace quern {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> archives;

bool IsPlanted(const std::string& path) { return path.find("isa_symbols_planted") != std::string::npos; }

// "kernels/rms_norm" of ".../kernels/rms_norm/librms_norm_cpu_avx2.a".
std::string RoomOf(const std::string& path) {
  const size_t at = path.find("kernels/");
  return at == std::string::npos ? "" : Dirname(path.substr(at));
}

TEST(IsaSymbolsTest, UnitsDefineNothingOutsideTheirNamespace) {
  SKIP_UNDER_SANITIZERS();
  int checked = 0;
  for (const std::string& path : archives) {
    if (IsPlanted(path)) continue;
    const std::string isa = IsaOfArchive(path);
    ASSERT_NE(isa, "") << path;
    const absl::StatusOr<ArchiveSymbols> symbols = CheckArchive(path, isa);
    ASSERT_TRUE(symbols.ok()) << symbols.status();
    EXPECT_GT(symbols->checked, 0) << path << " defines nothing";
    EXPECT_THAT(symbols->outside, IsEmpty()) << path << ": give them internal linkage or move them into quern::" << isa;
    checked += symbols->checked;
  }
  EXPECT_GT(checked, 0);
}

TEST(IsaSymbolsTest, EveryRoomIsListed) {
  std::set<std::string> listed;
  for (const std::string& path : archives) listed.insert(RoomOf(path));
  for (const SourceFile& file : ReadSources(SourceRoot("tests/BUILD.bazel"))) {
    const std::string room = Dirname(file.path);
    const bool unit = file.path.rfind("kernels/", 0) == 0 && file.path.find("_cpu.cc") != std::string::npos;
    if (!unit || !FileExists(SourceRoot("tests/BUILD.bazel") + "/" + room + "/BUILD.bazel")) continue;
    EXPECT_TRUE(listed.count(room) > 0) << room << " has " << Basename(file.path)
                                        << ": add the room to KERNEL_ROOMS in tests/BUILD.bazel";
  }
}

TEST(IsaSymbolsTest, PlantedSymbolsAreFound) {
  SKIP_UNDER_SANITIZERS();
  int planted = 0;
  for (const std::string& path : archives) {
    if (!IsPlanted(path)) continue;
    ++planted;
    const ArchiveSymbols symbols = CheckArchive(path, IsaOfArchive(path)).value();
    EXPECT_EQ(symbols.checked, 4) << path;
    EXPECT_THAT(symbols.outside,
                ::testing::UnorderedElementsAre("W _Z13PlantedInlinel", "W _ZN5quern15PlantedTemplateIlEET_S1_",
                                                "T _ZN5quern13PlantedGlobalEl"));
    // The units of one set are outside of another's namespace.
    EXPECT_EQ(CheckArchive(path, "avx9").value().outside.size(), 4u);
  }
  EXPECT_EQ(planted, 3);
}

TEST(IsaSymbolsTest, NamesOfArchives) {
  EXPECT_EQ(IsaOfArchive("a/librms_norm_cpu_avx2.a"), "avx2");
  EXPECT_EQ(IsaOfArchive("a/libx_cpu_avx512.pic.a"), "avx512");
  EXPECT_EQ(IsaOfArchive("a/libx_cpu_avx512_bf16.a"), "avx512_bf16");
  EXPECT_EQ(IsaOfArchive("a/librms_norm.a"), "");
}

TEST(IsaSymbolsTest, MangledNames) {
  const std::string listing =
      "lib.a[x.o]:\n"
      "_ZN5quern6avx5123FooEv T 0 10\n"
      "_ZNK5quern6avx5121S3BarEv W 0 10\n"
      "_ZZN5quern6avx5123FooEvENKUlvE_clEv W 0 5\n"
      "_ZN5quern11avx512_bf163FooEv T 0 1\n"  // another set
      "_ZN5quern4avx23FooEv T 0 1\n"
      "_ZN5quern3FooEv T 0 1\n"
      "_ZSt3minIfERKT_S2_S2_ W 0 1\n"
      "_ZGVN5quern6avx5125tableE V 0 8\n"  // the guard of a static
      "DW.ref.__gxx_personality_v0 V 0 8\n"
      "main T 0 1\n";
  const ArchiveSymbols symbols = CheckSymbols(listing, "avx512");
  EXPECT_EQ(symbols.checked, 10);
  EXPECT_THAT(symbols.outside, ElementsAre("T _ZN5quern11avx512_bf163FooEv", "T _ZN5quern4avx23FooEv",
                                           "T _ZN5quern3FooEv", "W _ZSt3minIfERKT_S2_S2_",
                                           "V _ZGVN5quern6avx5125tableE", "V DW.ref.__gxx_personality_v0", "T main"));
}

TEST(IsaSymbolsTest, AMissingArchiveIsAnError) { EXPECT_FALSE(CheckArchive("none.a", "avx2").ok()); }

}  // namespace
}  // namespace quern

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  quern::archives.assign(argv + 1, argv + argc);
  return RUN_ALL_TESTS();
}
