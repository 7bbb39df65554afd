// SentencePiece's BPE: llama2.c's tokenizer files, and tokenizer.json with byte_fallback.
#include "data/tokenizer/sentencepiece_bpe.h"

#include <bit>
#include <cmath>
#include <random>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "data/tokenizer/llama2c_tokenizer.h"
#include "data/tokenizer/stream_decoder.h"
#include "data/tokenizer/tokenizer.h"
#include "data/tokenizer/tokenizer_json.h"
#include "gtest/gtest.h"

namespace quern {
namespace {

using Ids = std::vector<int32_t>;

void AppendU32(uint32_t value, std::string* out) {
  for (int i = 0; i < 4; ++i) *out += static_cast<char>(value >> (8 * i));
}

struct Piece {
  float score;
  std::string text;
};

// The first 259 tokens of every file, then `pieces`, from id 259.
std::vector<Piece> Vocabulary(const std::vector<Piece>& pieces) {
  std::vector<Piece> all = {{0, "<unk>"}, {0, "\n<s>\n"}, {0, "\n</s>\n"}};
  for (int byte = 0; byte < 256; ++byte) all.push_back({0, NameOfByte(static_cast<uint8_t>(byte))});
  all.insert(all.end(), pieces.begin(), pieces.end());
  return all;
}

std::string FileOf(const std::vector<Piece>& vocabulary) {
  std::string bytes;
  AppendU32(8, &bytes);
  for (const Piece& piece : vocabulary) {
    AppendU32(std::bit_cast<uint32_t>(piece.score), &bytes);
    AppendU32(static_cast<uint32_t>(piece.text.size()), &bytes);
    bytes += piece.text;
  }
  return bytes;
}

// 259 " ", 260 "a", 261 "b", 262 "ab", 263 " a", 264 "ba", 265 "aa", 266 "aaa", 267 euro sign
const std::vector<Piece> kPieces = {{-9, " "},  {-9, "a"},  {-9, "b"},   {-1, "ab"},          {-2, " a"},
                                    {-1, "ba"}, {-5, "aa"}, {-6, "aaa"}, {-9, "\xE2\x82\xAC"}};

Tokenizer FromFile(const std::string& bytes) {
  auto parts = ReadLlama2cTokenizer(bytes, "tok.bin");
  EXPECT_TRUE(parts.ok()) << parts.status();
  return Tokenizer::FromParts(*std::move(parts));
}

// llama2.c's way, as plainly as it goes: characters or bytes, then the best pair, again and again.
Ids Plain(const std::vector<Piece>& vocabulary, const std::string& text) {
  const auto find = [&](const std::string& piece) {
    for (size_t id = 0; id < vocabulary.size(); ++id) {
      if (vocabulary[id].text == piece) return static_cast<int32_t>(id);
    }
    return -1;
  };
  Ids ids;
  for (size_t i = 0; i < text.size();) {
    size_t end = i + 1;
    while (end < text.size() && (text[end] & 0xC0) == 0x80) ++end;
    const int32_t id = find(text.substr(i, end - i));
    if (id >= 0) ids.push_back(id);
    for (size_t k = i; id < 0 && k < end; ++k) ids.push_back(3 + static_cast<uint8_t>(text[k]));
    i = end;
  }
  while (true) {
    float best = -1e10f;
    int32_t token = -1;
    size_t where = 0;
    for (size_t i = 0; i + 1 < ids.size(); ++i) {
      const int32_t id = find(vocabulary[ids[i]].text + vocabulary[ids[i + 1]].text);
      if (id < 0 || vocabulary[id].score <= best) continue;
      best = vocabulary[id].score;
      token = id;
      where = i;
    }
    if (token < 0) return ids;
    ids[where] = token;
    ids.erase(ids.begin() + static_cast<int64_t>(where) + 1);
  }
}

TEST(SentencePieceBpe, MergesByScoreTheLeftmostOfEqualOnesFirst) {
  const Tokenizer tokenizer = FromFile(FileOf(Vocabulary(kPieces)));
  EXPECT_EQ(tokenizer.vocab_size(), 268);
  EXPECT_EQ(*tokenizer.Encode(""), Ids{});
  EXPECT_EQ(*tokenizer.Encode("a"), Ids{263});
  EXPECT_EQ(*tokenizer.Encode("bab"), (Ids{259, 264, 261}));  // "ba" and "ab" are as good; "ba" is first
  EXPECT_EQ(*tokenizer.Encode("ab"), (Ids{259, 262}));
  EXPECT_EQ(*tokenizer.Encode("b a\n"), (Ids{259, 261, 263, 13}));
  EXPECT_EQ(*tokenizer.Encode(" b"), (Ids{259, 259, 261}));
  EXPECT_EQ(*tokenizer.Encode("\xE2\x82\xAC"), (Ids{259, 267}));
  EXPECT_EQ(*tokenizer.Encode("\xE2\x82\xAD\xFF"), (Ids{259, 229, 133, 176, 258}));
  EXPECT_EQ(*tokenizer.Encode("b", {.add_bos = true}), (Ids{1, 259, 261}));
  EXPECT_EQ(*tokenizer.Encode("<s>"), (Ids{259, 63, 118, 65}));
  EXPECT_EQ(*tokenizer.Encode("b<s>b", {.parse_special = true}), (Ids{259, 261, 1, 259, 261}));
  // Text that goes on gets no space of its own; what follows an added token does.
  EXPECT_EQ(*tokenizer.Encode("b", {.continues = true}), (Ids{261}));
  EXPECT_EQ(*tokenizer.Encode(" b", {.continues = true}), (Ids{259, 261}));
  EXPECT_EQ(*tokenizer.Encode("", {.continues = true}), Ids{});
  EXPECT_EQ(*tokenizer.Encode("b<s>b", {.parse_special = true, .continues = true}), (Ids{261, 1, 259, 261}));
  EXPECT_EQ(*tokenizer.Encode("<s>b", {.parse_special = true, .continues = true}), (Ids{1, 259, 261}));
  EXPECT_EQ(*Tokenizer::FromJson(tokenizer.json())->Encode("\xE2\x96\x81", {.continues = true}), (Ids{259}));
  // llama2.c's vocabulary has no U+2581; tokenizer.json reads it as a space.
  EXPECT_EQ(*tokenizer.Encode("\xE2\x96\x81"
                              "b"),
            (Ids{259, 229, 153, 132, 261}));
  EXPECT_EQ(*Tokenizer::FromJson(tokenizer.json())
                 ->Encode("\xE2\x96\x81"
                          "b"),
            (Ids{259, 259, 261}));
}

TEST(SentencePieceBpe, DecodesWithoutTheSpaceThatItPutThere) {
  const Tokenizer tokenizer = FromFile(FileOf(Vocabulary(kPieces)));
  EXPECT_EQ(*tokenizer.Decode(Ids{263}), "a");
  EXPECT_EQ(*tokenizer.Decode(Ids{259, 259}), " ");
  EXPECT_EQ(*tokenizer.Decode(Ids{260, 263}), "a a");
  EXPECT_EQ(*tokenizer.Decode(Ids{1, 263}), "<s> a");
  EXPECT_EQ(*tokenizer.Decode(Ids{35, 229}), "\xE2");  // the byte 0x20 is a space as well
  for (bool continues : {false, true}) {
    StreamDecoder decoder(tokenizer, {.continues = continues});
    for (int round = 0; round < 2; ++round) {
      std::string text;
      for (int32_t id : {1, 263, 263, 229, 133}) text += decoder.Push(id);
      EXPECT_EQ(text, continues ? " a a" : "a a");
      EXPECT_EQ(decoder.Finish(), "\xEF\xBF\xBD");
    }
  }
}

TEST(SentencePieceBpe, GivesTheIdsOfThePlainAlgorithm) {
  std::mt19937_64 random(1);
  for (int trial = 0; trial < 40; ++trial) {
    // Pieces at random over few letters, with few scores, so that ties and overlaps are many.
    std::vector<Piece> pieces = {{-50, " "}, {-50, "a"}, {-50, "b"}, {-50, "\xC3\xA9"}};
    for (int n = 0; n < 30; ++n) {
      std::string text;
      for (uint64_t size = 2 + random() % 3; size > 0; --size) text += pieces[random() % 4].text;
      bool known = text.find(' ', 1) != std::string::npos && trial % 2 == 0;  // every other one can be cut into words
      for (const Piece& piece : pieces) known |= piece.text == text;
      if (!known) pieces.push_back({-static_cast<float>(random() % 8), text});
    }
    const std::vector<Piece> vocabulary = Vocabulary(pieces);
    const Tokenizer tokenizer = FromFile(FileOf(vocabulary));
    for (int n = 0; n < 60; ++n) {
      std::string text;
      for (uint64_t size = random() % 80; size > 0; --size) text += pieces[random() % 4].text;
      EXPECT_EQ(*tokenizer.Encode(text), text.empty() ? Ids{} : Plain(vocabulary, " " + text)) << text;
    }
  }
}

TEST(SentencePieceBpe, WrittenAsTokenizerJsonAndReadBack) {
  const Tokenizer tokenizer = FromFile(FileOf(Vocabulary(kPieces)));
  const Json root = *ParseJson(tokenizer.json(), "tokenizer.json");
  EXPECT_EQ(root["model"]["byte_fallback"], true);
  EXPECT_EQ(root["model"]["unk_token"], "<unk>");
  EXPECT_EQ(root["model"]["vocab"]["\xE2\x96\x81"
                                   "a"],
            263);
  EXPECT_EQ(root["model"]["vocab"]["<0x0A>"], 13);
  EXPECT_EQ(root["normalizer"], SentencePieceNormalizer());
  EXPECT_EQ(root["decoder"], SentencePieceDecoder());
  const auto back = Tokenizer::FromJson(tokenizer.json());
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_TRUE(back->adds_bos());
  EXPECT_EQ(back->bos_id(), 1);
  EXPECT_EQ(back->eos_id(), 2);
  EXPECT_EQ(back->merge_count(), tokenizer.merge_count());
  for (const char* text : {"ab a", "  b\n", "\xE2\x82\xAC\xF0\x9F\x98\x80", "ab aab b"}) {
    EXPECT_EQ(*back->Encode(text), *tokenizer.Encode(text)) << text;
    EXPECT_EQ(*back->Decode(*back->Encode(text)), text);
  }
  const auto parts = ReadTokenizerJson(tokenizer.json(), "test");
  ASSERT_TRUE(parts.ok());
  EXPECT_EQ(WriteTokenizerJson(*parts), tokenizer.json());
}

TEST(SentencePieceBpe, OtherFormsOfTokenizerJsonAreRefusedByName) {
  const std::tuple<const char*, Json, const char*> kCases[] = {
      {"/normalizer", nullptr, "normalizer null is not supported with byte_fallback"},
      {"/normalizer/normalizers/0/prepend", "x", "normalizer {"},
      {"/pre_tokenizer", {{"type", "Metaspace"}}, "pre_tokenizer {\"type\":\"Metaspace\"} is not supported"},
      {"/decoder", nullptr, "decoder null is not supported with byte_fallback"},
      {"/decoder/decoders/3/start", 2, "decoder {"},
      {"/model/ignore_merges", true, "ignore_merges"},
      {"/model/byte_fallback", false, "normalizer"},
  };
  const std::string json = FromFile(FileOf(Vocabulary(kPieces))).json();
  for (const auto& [pointer, value, why] : kCases) {
    Json root = *ParseJson(json, "test");
    root[Json::json_pointer(pointer)] = value;
    const absl::Status status = Tokenizer::FromJson(WriteJson(root)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << pointer;
    EXPECT_TRUE(absl::StrContains(status.message(), why)) << pointer << ": " << status;
  }
  Json root = *ParseJson(json, "test");
  root["model"]["vocab"].erase("<0x7F>");
  EXPECT_TRUE(absl::StrContains(Tokenizer::FromJson(WriteJson(root)).status().message(), "without the token <0x7F>"));
}

// As one of Llama 2's files in circulation has them: no text reaches them, ids do.
TEST(SentencePieceBpe, TokensWithAPlainSpaceAreOnlyDecoded) {
  Json root = *ParseJson(FromFile(FileOf(Vocabulary(kPieces))).json(), "test");
  root["model"]["vocab"][" "] = 300;
  root["model"]["vocab"]["  "] = 301;
  root["model"]["merges"].insert(root["model"]["merges"].begin(), "   ");
  const auto tokenizer = Tokenizer::FromJson(WriteJson(root));
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ(*tokenizer->Encode("  b"), (Ids{259, 259, 259, 261}));
  EXPECT_EQ(*tokenizer->Decode(Ids{260, 301, 300, 261}), "a   b");
}

void Refused(const std::string& bytes, const std::string& why) {
  const absl::Status status = ReadLlama2cTokenizer(bytes, "tok.bin").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << why;
  EXPECT_TRUE(absl::StrContains(status.message(), why)) << why << ": " << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "tok.bin")) << status;
}

TEST(Llama2cTokenizer, MalformedFilesAreRefused) {
  const auto with = [](size_t id, const Piece& piece) {
    std::vector<Piece> vocabulary = Vocabulary(kPieces);
    vocabulary[id] = piece;
    return FileOf(vocabulary);
  };
  Refused(with(260, {0, ""}), "token 260 at byte ");
  Refused(with(260, {0, "123456789"}), "has 9 bytes, not 1 to the 8");
  Refused(with(260, {NAN, "x"}), "a score that is not a number");
  Refused(with(260, {INFINITY, "x"}), "a score that is not a number");
  Refused(with(260, {0, "b"}), "token 261 is there twice");
  Refused(with(3, {0, "x"}), "token 3 is not <0x00>");
  Refused(with(258, {0, "<0xff>"}), "token 258 is not <0xFF>");
  Refused(with(1, {0, "\n"}), "token 1 is empty");
  std::vector<Piece> few = Vocabulary({});
  few.pop_back();
  Refused(FileOf(few), "token 258 is missing");
  std::string huge = FileOf(Vocabulary(kPieces));
  huge[8] = huge[9] = huge[10] = huge[11] = '\xFF';
  Refused(huge, "has 4294967295 bytes");
  const std::string whole = FileOf(Vocabulary({}));
  for (size_t size = 4; size < whole.size(); ++size) {
    EXPECT_FALSE(ReadLlama2cTokenizer(whole.substr(0, size), "tok.bin").ok()) << size;
  }
  EXPECT_TRUE(ReadLlama2cTokenizer(whole, "tok.bin").ok());
}

TEST(Llama2cTokenizer, DamagedBytesAreReadOrRefused) {
  const std::string valid = FileOf(Vocabulary(kPieces));
  std::mt19937_64 random(1);
  for (int trial = 0; trial < 1000; ++trial) {
    std::string bytes = valid;
    for (int n = 0; n < 1 + trial % 3; ++n) bytes[4 + random() % (bytes.size() - 4)] = static_cast<char>(random());
    auto parts = ReadLlama2cTokenizer(bytes, "tok.bin");
    if (!parts.ok()) continue;
    const Tokenizer tokenizer = Tokenizer::FromParts(*std::move(parts));
    const auto ids = tokenizer.Encode("ab aa\xFF b");
    ASSERT_TRUE(ids.ok());
    EXPECT_TRUE(tokenizer.Decode(*ids).ok());
  }
}

TEST(Llama2cTokenizer, LoadedByWhatItHolds) {
  const std::string path = JoinPath(testing::TempDir(), "tok.bin");
  ASSERT_TRUE(WriteFileAtomic(path, FileOf(Vocabulary(kPieces))).ok());
  const auto tokenizer = Tokenizer::Load(path);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ(tokenizer->TokenBytes(1), "<s>");
  EXPECT_TRUE(tokenizer->IsSpecial(2));
  EXPECT_TRUE(absl::StrContains(Tokenizer::Load(path, {.pattern = "gpt2"}).status().message(), "--pattern"));
}

}  // namespace
}  // namespace quern
