#include "data/tokenizer/nfc.h"

#include <cstdint>
#include <random>
#include <string>

#include "base/utf8.h"
#include "gtest/gtest.h"
#include "unicode/bytestream.h"
#include "unicode/normalizer2.h"
#include "unicode/stringpiece.h"

namespace quern {
namespace {

std::string Nfc(const std::string& text) { return NormalizeNfc(text).value_or(text); }

std::string NfcByIcuAlone(const std::string& text) {
  UErrorCode error = U_ZERO_ERROR;
  std::string out;
  icu::StringByteSink<std::string> sink(&out);
  icu::Normalizer2::getNFCInstance(error)->normalizeUTF8(
      0, icu::StringPiece(text.data(), static_cast<int32_t>(text.size())), sink, nullptr, error);
  EXPECT_TRUE(U_SUCCESS(error)) << u_errorName(error);
  return out;
}

TEST(Nfc, SaysWhetherItChangesTheText) {
  EXPECT_EQ(NormalizeNfc("plain"), std::nullopt);
  EXPECT_EQ(NormalizeNfc("caf\u00E9"), std::nullopt);
  EXPECT_EQ(NormalizeNfc("cafe\u0301"), "caf\u00E9");
}

TEST(Nfc, BytesThatAreNoUtf8Stay) { EXPECT_EQ(NormalizeNfc("\xFF\xC3 e\u0301\xE2\x82"), "\xFF\xC3 \u00E9\xE2\x82"); }

TEST(Nfc, LongRunsOfMarksComeOutAsByIcu) {
  const char32_t pool[] = {0x301, 0x316, 0x327, 0x344, 0x345,   0xF71,   0xF72,  0xF73, 0xF75, 0xF81,
                           0x5B0, 0x340, 0x343, 0x323, 0x1D165, 0x1D16E, 0x3099, 'a',   0xE9,  0xC5};
  std::mt19937 random(1);
  for (int trial = 0; trial < 500; ++trial) {
    std::string text;
    const size_t kinds = 1 + random() % 17;
    for (size_t i = random() % 700; i > 0; --i) {
      AppendUtf8(random() % 200 == 0 ? pool[17 + random() % 3] : pool[random() % kinds], &text);
    }
    ASSERT_EQ(Nfc(text), NfcByIcuAlone(text)) << "trial " << trial;
  }
}

// Minutes with ICU alone.
TEST(Nfc, MarksWithoutEndTakeLinearTime) {
  std::string alternating = "x", vowels;
  for (int i = 0; i < 500000; ++i) {
    alternating += i % 2 == 0 ? "\u0301" : "\u0316";
    vowels += "\u0F73";
  }
  EXPECT_EQ(Nfc(alternating).size(), alternating.size());
  EXPECT_EQ(Nfc(vowels).size(), 2 * vowels.size());
}

}  // namespace
}  // namespace quern
