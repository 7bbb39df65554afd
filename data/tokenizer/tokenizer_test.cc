#include "data/tokenizer/tokenizer.h"

#include <map>
#include <random>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/json.h"
#include "base/testing.h"
#include "data/tokenizer/bpe_train.h"
#include "data/tokenizer/char_tokenizer.h"
#include "gtest/gtest.h"

namespace quern {
namespace {

using Ids = std::vector<int32_t>;

void ExpectRefused(const absl::Status& status, const char* what) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StrContains(status.message(), what)) << status;
}

std::string EveryByte() {
  std::string bytes;
  for (int b = 0; b < 256; ++b) bytes += static_cast<char>(b);
  return bytes;
}

TEST(ByteTokenizer, IdsAreBytes) {
  const Tokenizer tokenizer = Tokenizer::Bytes();
  EXPECT_EQ(tokenizer.kind(), TokenizerKind::kByte);
  EXPECT_EQ(tokenizer.vocab_size(), 256);
  EXPECT_EQ(tokenizer.pattern(), "");
  Ids ids;
  for (int b = 0; b < 256; ++b) ids.push_back(b);
  EXPECT_EQ(*tokenizer.Encode(EveryByte()), ids);
  EXPECT_EQ(*tokenizer.Decode(ids), EveryByte());
  EXPECT_EQ(*tokenizer.Encode(""), Ids{});
  EXPECT_FALSE(tokenizer.bos_id().has_value());
  const auto read = Tokenizer::FromJson(tokenizer.json());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->kind(), TokenizerKind::kByte);
  EXPECT_EQ(*read->Encode(EveryByte()), ids);
}

TEST(CharTokenizer, IdsFollowCodePoints) {
  const auto tokenizer = TrainChar("h\u00E9llo \U0001F600\nw");
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ(tokenizer->kind(), TokenizerKind::kChar);
  EXPECT_EQ(tokenizer->vocab_size(), 8);
  EXPECT_EQ(*tokenizer->Encode("\n hlow\u00E9\U0001F600"), (Ids{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(*tokenizer->Decode(Ids{2, 6, 3, 3, 4}), "h\u00E9llo");
  EXPECT_EQ(tokenizer->TokenId("\u00E9"), 6);
  const auto read = Tokenizer::FromJson(tokenizer->json());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->kind(), TokenizerKind::kChar);
  EXPECT_EQ(*read->Encode("hollow\n"), *tokenizer->Encode("hollow\n"));
}

TEST(CharTokenizer, NamesTheSymbolItLacks) {
  const Tokenizer tokenizer = *TrainChar("abc");
  ExpectRefused(tokenizer.Encode("ab\u00E9").status(), "\"\u00E9\" (U+00E9) at byte 2");
  ExpectRefused(tokenizer.Encode("abx").status(), "\"x\" (U+0078) at byte 2");
  ExpectRefused(tokenizer.Encode("a\xFF").status(), "byte 0xFF at byte 1");
  // Also where the text is long and cut into parts.
  ExpectRefused(tokenizer.Encode(std::string(700000, 'a') + "d").status(), "at byte 700000");
}

TEST(CharTokenizer, RefusesTextThatHasNoCharacters) {
  ExpectRefused(TrainChar("").status(), "empty");
  ExpectRefused(TrainChar("abc\xC3").status(), "not UTF-8 at byte 3");
}

TEST(Tokenizer, DecodeNamesTheIdThatIsNoTokens) {
  const Tokenizer tokenizer = Tokenizer::Bytes();
  ExpectRefused(tokenizer.Decode(Ids{65, 256}).status(), "id 256 at index 1");
  ExpectRefused(tokenizer.Decode(Ids{-1}).status(), "id -1 at index 0");
  EXPECT_EQ(tokenizer.TokenBytes(256), "");
  EXPECT_FALSE(tokenizer.HasToken(-1));
  EXPECT_EQ(*tokenizer.Decode({}), "");
}

TEST(Tokenizer, SpecialTokensAreTextUnlessAskedFor) {
  const Tokenizer tokenizer = *TrainBpe("some text", {.vocab_size = 300});
  const std::string text = "a<|endoftext|>b";
  const int32_t end = *tokenizer.eos_id();
  const Ids plain = *tokenizer.Encode(text), parsed = *tokenizer.Encode(text, {.parse_special = true});
  EXPECT_EQ(std::count(plain.begin(), plain.end(), end), 0);
  EXPECT_EQ(parsed, (Ids{'a', end, 'b'}));
  EXPECT_EQ(*tokenizer.Decode(plain), text);
  EXPECT_EQ(*tokenizer.Decode(parsed), text);
  EXPECT_EQ(*tokenizer.Encode("<|endoftext|>", {.parse_special = true}), Ids{end});
  EXPECT_EQ(*tokenizer.Encode("<|endoftext|><|endoftext|>", {.parse_special = true}), (Ids{end, end}));
  EXPECT_EQ(*tokenizer.Encode("a", {.add_bos = true}), (Ids{end, 'a'}));
  EXPECT_EQ(*tokenizer.Encode("", {.add_bos = true}), Ids{end});
  ExpectRefused(Tokenizer::Bytes().Encode("a", {.add_bos = true}).status(), "no BOS");
}

// ---- Files as others write them. Bytes a-z, space, and a few merges; `fields` replace or add to what is here.

std::string File(const std::map<std::string, std::string>& fields = {}) {
  const std::string byte_level = R"({"type":"ByteLevel","add_prefix_space":false,"use_regex":true})";
  Json vocab = Json::object();
  for (char c = 'a'; c <= 'z'; ++c) vocab[std::string(1, c)] = c - 'a';
  vocab["\u0120"] = 26;
  vocab["ab"] = 27;
  vocab["\u0120ab"] = 28;
  Json root = {{"version", "1.0"},
               {"pre_tokenizer", *ParseJson(byte_level, "")},
               {"decoder", *ParseJson(byte_level, "")},
               {"added_tokens", Json::array()},
               {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", {"a b", "\u0120 ab"}}}}};
  for (const auto& [field, value] : fields) {
    const size_t dot = field.find('.');
    Json& at = dot == std::string::npos ? root[field] : root[field.substr(0, dot)][field.substr(dot + 1)];
    at = *ParseJson(value, field);
  }
  return WriteJson(root);
}

Tokenizer Read(const std::map<std::string, std::string>& fields = {}) {
  auto tokenizer = Tokenizer::FromJson(File(fields));
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  return tokenizer.ok() ? *tokenizer : Tokenizer::Bytes();
}

TEST(TokenizerFile, AddedTokens) {
  const auto with = [](const std::string& flags, bool special = false) {
    return Read({{"added_tokens",
                  absl::StrCat(R"([{"id":29,"content":"xy","special":)", special ? "true" : "false", flags, "}]")}});
  };
  EXPECT_EQ(*with("").Encode("axyb"), (Ids{0, 29, 1}));
  EXPECT_EQ(*with("").Encode("xyxy"), (Ids{29, 29}));
  EXPECT_EQ(*with("", true).Encode("axyb"), (Ids{0, 23, 24, 1}));
  EXPECT_EQ(*with("", true).Encode("axyb", {.parse_special = true}), (Ids{0, 29, 1}));
  EXPECT_EQ(*with(R"(,"single_word":true)").Encode("xy axy xy"), (Ids{29, 26, 0, 23, 24, 26, 29}));
  EXPECT_EQ(*with(R"(,"lstrip":true)").Encode("a  xy b"), (Ids{0, 29, 26, 1}));
  EXPECT_EQ(*with(R"(,"rstrip":true)").Encode("a xy  b"), (Ids{0, 26, 29, 1}));
  EXPECT_EQ(with("").vocab_size(), 30);
  EXPECT_EQ(with("").TokenId("xy"), 29);
  EXPECT_EQ(*with("").Decode(Ids{0, 29}), "axy");
  EXPECT_FALSE(with("").IsSpecial(29));
  EXPECT_TRUE(with("", true).IsSpecial(29));
}

TEST(TokenizerFile, TheLongestAddedTokenWins) {
  const Tokenizer tokenizer = Read(
      {{"added_tokens",
        R"([{"id":29,"content":"ab"},{"id":30,"content":"abc"},{"id":31,"content":"bcd"},{"id":32,"content":"  "}])"},
       {"model.vocab", R"({"a":0,"b":1,"c":2,"d":3,"Ġ":26})"},
       {"model.merges", "[]"}});
  EXPECT_EQ(*tokenizer.Encode("abcd"), (Ids{30, 3}));
  EXPECT_EQ(*tokenizer.Encode("abd"), (Ids{29, 3}));
  EXPECT_EQ(*tokenizer.Encode("bcdab"), (Ids{31, 29}));
  EXPECT_EQ(*tokenizer.Encode("a   b"), (Ids{0, 32, 26, 1}));
}

TEST(TokenizerFile, PrefixSpace) {
  const std::string byte_level = R"({"type":"ByteLevel","add_prefix_space":true})";
  const Tokenizer tokenizer =
      Read({{"pre_tokenizer", byte_level}, {"added_tokens", R"([{"id":29,"content":"xy","normalized":false}])"}});
  EXPECT_EQ(*tokenizer.Encode("ab"), Ids{28});
  EXPECT_EQ(*tokenizer.Encode(" ab"), Ids{28});
  EXPECT_EQ(*tokenizer.Encode("abxyab"), (Ids{28, 29, 28}));
  EXPECT_EQ(*tokenizer.Encode(""), Ids{});
  EXPECT_EQ(*tokenizer.Encode("xy"), Ids{29});
  EXPECT_EQ(*tokenizer.Decode(*tokenizer.Encode("abxyab")), " abxy ab");
  EXPECT_EQ(*tokenizer.Decode(*tokenizer.Encode("abxyab", {.continues = true})), "abxy ab");
  EXPECT_EQ(*tokenizer.Decode(*tokenizer.Encode("xyab", {.continues = true})), "xy ab");
  // Once, also where the text is cut into parts.
  std::string text = "ab";
  while (text.size() < 700'000) text += " ab";
  EXPECT_EQ(*tokenizer.Encode(text), Ids(text.size() / 3 + 1, 28));
}

TEST(TokenizerFile, UnknownBytes) {
  ExpectRefused(Read().Encode("ab!").status(), "\"!\" (U+0021) at byte 2");
  const std::map<std::string, std::string> unknown = {{"model.unk_token", "\"z\""}};
  EXPECT_EQ(*Read(unknown).Encode("a!!b"), (Ids{0, 25, 25, 1}));
  EXPECT_EQ(*Read({{"model.unk_token", "\"z\""}, {"model.fuse_unk", "true"}}).Encode("a!!b!"), (Ids{0, 25, 1, 25}));
}

TEST(TokenizerFile, IgnoreMergesTakesWholePieces) {
  const std::map<std::string, std::string> vocab = {{"model.vocab", R"({"a":0,"b":1,"c":2,"abc":3,"bc":4})"},
                                                    {"model.merges", R"(["b c"])"}};
  EXPECT_EQ(*Read(vocab).Encode("abc"), (Ids{0, 4}));
  std::map<std::string, std::string> ignoring = vocab;
  ignoring["model.ignore_merges"] = "true";
  EXPECT_EQ(*Read(ignoring).Encode("abc"), Ids{3});
}

TEST(TokenizerFile, NfcBeforeMerging) {
  const std::map<std::string, std::string> fields = {{"model.vocab", R"({"Ã":0,"©":1,"e":2,"Ì":3,"ģ":4,"Ã©":5})"},
                                                     {"model.merges", R"(["Ã ©"])"}};
  EXPECT_EQ(*Read(fields).Encode("e\u0301"), (Ids{2, 3, 4}));
  std::map<std::string, std::string> nfc = fields;
  nfc["normalizer"] = R"({"type":"NFC"})";
  EXPECT_EQ(*Read(nfc).Encode("e\u0301"), Ids{5});
  EXPECT_EQ(*Read(nfc).Encode("\u00E9"), Ids{5});
}

TEST(TokenizerFile, PostProcessorsAndBos) {
  const std::string tokens = R"([{"id":29,"content":"<s>","special":true},{"id":30,"content":"</s>","special":true}])";
  const std::string both =
      R"({"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"</s>","type_id":0}}],"special_tokens":{"<s>":{"id":"<s>","ids":[29],"tokens":["<s>"]},"</s>":{"id":"</s>","ids":[30],"tokens":["</s>"]}}})";
  const Tokenizer tokenizer = Read({{"added_tokens", tokens}, {"post_processor", both}});
  EXPECT_EQ(*tokenizer.Encode("ab"), Ids{27});
  EXPECT_EQ(*tokenizer.Encode("ab", {.add_special = true}), (Ids{29, 27, 30}));
  EXPECT_EQ(*tokenizer.Encode("ab", {.add_bos = true}), (Ids{29, 27}));
  EXPECT_EQ(*tokenizer.Encode("ab", {.add_bos = true, .add_special = true}), (Ids{29, 27, 30}));
  EXPECT_TRUE(tokenizer.adds_bos());
  EXPECT_EQ(tokenizer.bos_id(), 29);
  EXPECT_EQ(tokenizer.eos_id(), 30);
  EXPECT_FALSE(Read({{"added_tokens", tokens}}).adds_bos());
  const std::string roberta = R"({"type":"RobertaProcessing","sep":["</s>",30],"cls":["<s>",29]})";
  EXPECT_EQ(*Read({{"added_tokens", tokens}, {"post_processor", roberta}}).Encode("a", {.add_special = true}),
            (Ids{29, 0, 30}));
}

// ---- Load.

using TokenizerLoad = FolderTest;

TEST_F(TokenizerLoad, SavesAndLoadsFilesAndFolders) {
  const Tokenizer trained = *TrainBpe("some text to train on, some more text", {.vocab_size = 280});
  ASSERT_TRUE(trained.Save(Path("tokenizer.json")).ok());
  EXPECT_EQ(*ReadFile(Path("tokenizer.json")), trained.json());
  for (const std::string& path : {folder(), Path("tokenizer.json")}) {
    const auto loaded = Tokenizer::Load(path);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_EQ(loaded->sha256(), trained.sha256());
    EXPECT_EQ(*loaded->Encode("some text"), *trained.Encode("some text"));
  }
  EXPECT_TRUE(Tokenizer::Load(folder(), {.pattern = "gpt2"}).ok());
  ExpectRefused(Tokenizer::Load(folder(), {.pattern = "llama3"}).status(), "at odds");
  ExpectRefused(Tokenizer::Load(folder(), {.pattern = "lama3"}).status(), "llama3");
  EXPECT_EQ(Tokenizer::Load(Path("tokeniser.json")).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(TokenizerLoad, NeighboursNameBosAndEos) {
  Write("tokenizer.json", File({{"added_tokens", R"([{"id":29,"content":"<a>","special":true},
                                                     {"id":30,"content":"<b>","special":true}])"}}));
  EXPECT_FALSE(Tokenizer::Load(folder())->bos_id().has_value());
  Write("config.json", R"({"bos_token_id": 29, "eos_token_id": [30, 29]})");
  EXPECT_EQ(Tokenizer::Load(folder())->bos_id(), 29);
  EXPECT_EQ(Tokenizer::Load(folder())->eos_id(), 30);
  Write("tokenizer_config.json", R"({"bos_token": {"content": "<b>"}, "eos_token": "<a>", "add_bos_token": true})");
  EXPECT_EQ(Tokenizer::Load(folder())->bos_id(), 30);
  EXPECT_EQ(Tokenizer::Load(folder())->eos_id(), 29);
  EXPECT_TRUE(Tokenizer::Load(folder())->adds_bos());
  Write("config.json", R"({"bos_token_id": 99999999999, "eos_token_id": "x"})");
  Write("tokenizer_config.json", R"({"bos_token": 5, "eos_token": {"content": 6}, "add_bos_token": "yes"})");
  EXPECT_FALSE(Tokenizer::Load(folder())->bos_id().has_value());
  EXPECT_FALSE(Tokenizer::Load(folder())->adds_bos());
  Write("tokenizer_config.json", "[]");
  EXPECT_FALSE(Tokenizer::Load(folder()).ok());
}

// a, b, c, space, "bc", "ab", "abc", "cba"; no two tokens make the last.
constexpr char kRanks[] = "YQ== 0\nYg== 1\nYw== 2\nIA== 3\nYmM= 4\nYWI= 5\nYWJj 6\nY2Jh 7\n";

TEST_F(TokenizerLoad, TiktokenRanks) {
  Write("ranks", kRanks);
  const std::string path = Path("ranks");
  ExpectRefused(Tokenizer::Load(path).status(), "--pattern");
  ExpectRefused(Tokenizer::Load(path, {.pattern = "gtp2"}).status(), "gpt2");
  const auto tokenizer = Tokenizer::Load(path, {.pattern = "gpt2"});
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ(tokenizer->vocab_size(), 8);
  EXPECT_EQ(*tokenizer->Encode("abc"), Ids{6});  // a whole piece
  EXPECT_EQ(*tokenizer->Encode("cba"), Ids{7});
  EXPECT_EQ(*tokenizer->Encode("a cba"), (Ids{0, 3, 2, 1, 0}));
  EXPECT_EQ(*tokenizer->Encode("abcb"), (Ids{6, 1}));
  EXPECT_EQ(*tokenizer->Encode("bcab"), (Ids{4, 5}));
  EXPECT_EQ(*tokenizer->Encode("aab"), (Ids{0, 5}));
  EXPECT_EQ(*tokenizer->Encode("a b"), (Ids{0, 3, 1}));
  ExpectRefused(tokenizer->Encode("abd").status(), "\"d\"");
  const auto read = Tokenizer::FromJson(tokenizer->json());
  ASSERT_TRUE(read.ok()) << read.status();
  for (const char* text : {"abc", "abcb", "bcab", "a b"}) EXPECT_EQ(*read->Encode(text), *tokenizer->Encode(text));
}

TEST_F(TokenizerLoad, MalformedRanks) {
  const std::map<std::string, std::string> files = {
      {"YQ== 0\nYg==\n", "line 2: is not a token"},
      {"YQ== 0\nY!== 1\n", "line 2: is not a token"},
      {"YQ== 0\nYg== -1\n", "line 2"},
      {"YQ== 0\nYg== 1x\n", "line 2"},
      {"YQ== 0\nYg== 0\n", "rank 0 is there twice"},
      {"YQ== 0\nYQ== 1\n", "the token is there twice"},
      {"YQ== 0\nYg== 2000000000\n", "too large"},
      {"YQ== 0\nYg== 99999999999999\n", "line 2"},
      {"YQ== 0\n" + std::string(4000, 'Y') + " 1\n", "3000 bytes"},
  };
  for (const auto& [bytes, why] : files) {
    Write("ranks", bytes);
    ExpectRefused(Tokenizer::Load(Path("ranks"), {.pattern = "gpt2"}).status(), why.c_str());
  }
}

TEST_F(TokenizerLoad, OtherFormatsAreRefusedByName) {
  const std::map<std::string, std::string> files = {
      {std::string("GGUF\3\0\0\0", 8), "is a GGUF file"},
      {std::string("\x0A\x0E\x0A\x05<unk>\x15\0\0\0\0\x18\2", 16), "is a SentencePiece model"},
      {std::string("\2\0\0\0\0\0\0\0\2\0\0\0ab\0\0\0\0\1\0\0\0c", 23), "as a tokenizer file of llama2.c, token 2"},
      {"", "not valid JSON"},
      {"plain text", "not valid JSON"},
      {std::string(1000, '\0'), "ranks"},
  };
  for (const auto& [bytes, why] : files) {
    Write("ranks", bytes);
    ExpectRefused(Tokenizer::Load(Path("ranks")).status(), why.c_str());
  }
}

}  // namespace
}  // namespace quern
