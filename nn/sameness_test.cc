// One forward, many ways through it: the training forward, token by token with a cache, in chunks of 1, 7 and 64, and
// five unequal sequences in one batch give the same bits in f32, at 1 and 2 threads. AVX2 and AVX-512 give the same
// bits as each other; the reference, which has its own exp and its own order of sums, agrees with them closely and with
// itself to the bit.
#include <span>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "kernels/testing.h"
#include "nn/decode/kv_cache.h"
#include "nn/decode/step_batch.h"
#include "nn/testing.h"

namespace quern {
namespace {

// Lengths that cross blocks of 64 keys, once and twice.
constexpr int64_t kLengths[] = {150, 71, 1, 128, 65};

std::vector<std::vector<int32_t>> Texts() {
  std::vector<std::vector<int32_t>> texts;
  for (int64_t length : kLengths) texts.push_back(RandomIds(length, 97, static_cast<uint64_t>(length)));
  return texts;
}

// Logits of one text, fed through a cache in chunks. `reverse` hands out the blocks in an unusual order.
Tensor CachedLogits(LanguageModel& model, const std::vector<int32_t>& ids, size_t chunk, bool reverse) {
  std::unique_ptr<KvCache> cache = *KvCache::Create(model, 8);
  std::vector<int32_t> blocks = *cache->Allocate(KvCache::BlocksFor(static_cast<int64_t>(ids.size())));
  if (reverse) blocks = std::vector<int32_t>(blocks.rbegin(), blocks.rend());
  Tensor all = Tensor::Empty({static_cast<int64_t>(ids.size()), model.vocab_size()}, DType::kF32);
  for (size_t begin = 0; begin < ids.size(); begin += chunk) {
    size_t end = std::min(begin + chunk, ids.size());
    StepBatch batch(*cache);
    batch.Add(std::span<const int32_t>(ids).subspan(begin, end - begin), static_cast<int32_t>(begin), blocks,
              WantLogits::kAllRows);
    Tensor rows = all.Slice(0, static_cast<int64_t>(begin), static_cast<int64_t>(end));
    rows.CopyFrom(batch.Forward(model));
  }
  return all;
}

// The training forward over all texts as one batch, cut apart again.
std::vector<Tensor> BatchedLogits(LanguageModel& model, const std::vector<std::vector<int32_t>>& texts) {
  std::vector<int32_t> tokens, lengths;
  for (const auto& text : texts) {
    tokens.insert(tokens.end(), text.begin(), text.end());
    lengths.push_back(static_cast<int32_t>(text.size()));
  }
  Sequences sequences = Sequences::Of(lengths);
  NoGrad no_grad;
  Tensor logits = model.Forward(Tensor::Of(tokens, {static_cast<int64_t>(tokens.size())}), sequences, {}).value();
  std::vector<Tensor> parts;
  for (size_t s = 0; s < texts.size(); ++s)
    parts.push_back(logits.Slice(0, sequences.starts[s], sequences.starts[s + 1]).Contiguous());
  return parts;
}

// Five texts through one cache at once: prefill chunks and single rows mixed, lengths of pieces differing by text and
// step.
std::vector<Tensor> MixedLogits(LanguageModel& model, const std::vector<std::vector<int32_t>>& texts) {
  std::unique_ptr<KvCache> cache = *KvCache::Create(model, 16);
  std::vector<std::vector<int32_t>> blocks;
  std::vector<size_t> done(texts.size(), 0);
  std::vector<Tensor> all;
  for (const auto& text : texts) {
    blocks.push_back(*cache->Allocate(KvCache::BlocksFor(static_cast<int64_t>(text.size()))));
    all.push_back(Tensor::Empty({static_cast<int64_t>(text.size()), model.vocab_size()}, DType::kF32));
  }
  for (int step = 0;; ++step) {
    StepBatch batch(*cache);
    std::vector<std::pair<size_t, size_t>> pieces;
    for (size_t s = 0; s < texts.size(); ++s) {
      size_t left = texts[s].size() - done[s], piece = std::min(left, (step + s) % 3 == 0 ? size_t{1} : 5 + 9 * s);
      if (piece == 0) continue;
      batch.Add(std::span<const int32_t>(texts[s]).subspan(done[s], piece), static_cast<int32_t>(done[s]), blocks[s],
                WantLogits::kAllRows);
      pieces.push_back({s, piece});
    }
    if (pieces.empty()) return all;
    Tensor logits = batch.Forward(model);
    int64_t row = 0;
    for (const auto& piece : pieces) {
      int64_t begin = static_cast<int64_t>(done[piece.first]), rows = static_cast<int64_t>(piece.second);
      Tensor to = all[piece.first].Slice(0, begin, begin + rows);
      to.CopyFrom(logits.Slice(0, row, row + rows));
      row += rows;
      done[piece.first] += piece.second;
    }
  }
}

class SamenessTest : public testing::TestWithParam<std::string> {};

TEST_P(SamenessTest, EveryWayThroughTheForwardGivesTheSameBits) {
  std::unique_ptr<LanguageModel> model = SmallModel(GetParam());
  std::vector<std::vector<int32_t>> texts = Texts();
  std::vector<Tensor> of_reference, of_vectors;
  ForEachIsa([&](Isa isa) {
    std::vector<Tensor> alone;
    for (const auto& text : texts) alone.push_back(TrainLogits(*model, text));
    std::vector<Tensor>& expected = isa == Isa::kReference ? of_reference : of_vectors;
    if (expected.empty()) expected = alone;
    for (size_t s = 0; s < texts.size(); ++s) {
      ASSERT_TRUE(SameBits(alone[s], expected[s])) << "another set or number of threads, text " << s;
      ASSERT_TRUE(AllClose(alone[s], of_reference[s], 1e-3, 1e-3)) << "against the reference, text " << s;
    }

    std::vector<Tensor> batched = BatchedLogits(*model, texts), mixed = MixedLogits(*model, texts);
    for (size_t s = 0; s < texts.size(); ++s) {
      ASSERT_TRUE(SameBits(batched[s], expected[s])) << "batched, text " << s;
      ASSERT_TRUE(SameBits(mixed[s], expected[s])) << "mixed pieces, text " << s;
    }
    for (size_t chunk : {1, 7, 64}) {
      ASSERT_TRUE(SameBits(CachedLogits(*model, texts[0], chunk, /*reverse=*/chunk == 7), expected[0]))
          << "chunks of " << chunk;
    }
  });
}

TEST_P(SamenessTest, SelectedRowsAreTheRows) {
  std::unique_ptr<LanguageModel> model = SmallModel(GetParam());
  std::vector<int32_t> ids = RandomIds(70, 97, 3);
  Tensor all = TrainLogits(*model, ids);
  NoGrad no_grad;
  ForwardOptions options;
  options.logit_rows = {0, 17, 63, 64, 69};
  Tensor some = model->Forward(Tensor::Of(ids, {70}), Sequences::Equal(1, 70), options).value();
  ASSERT_EQ(some.dim(0), 5);
  for (size_t i = 0; i < options.logit_rows.size(); ++i) {
    int64_t row = options.logit_rows[i];
    EXPECT_TRUE(
        SameBits(some.Slice(0, static_cast<int64_t>(i), static_cast<int64_t>(i) + 1), all.Slice(0, row, row + 1)))
        << row;
  }
}

// The packed copy of a weight is used under NoGrad, the weight itself on the tape.
TEST_P(SamenessTest, TapeOrNotIsTheSame) {
  std::unique_ptr<LanguageModel> model = SmallModel(GetParam());
  std::vector<int32_t> ids = RandomIds(67, 97, 4);
  Tensor on_tape = model->Forward(Tensor::Of(ids, {67}), Sequences::Equal(1, 67), {}).value();
  EXPECT_TRUE(SameBits(on_tape, TrainLogits(*model, ids)));
}

// A test that cannot fail proves nothing: one changed token changes its own row and the later ones, and none before.
TEST_P(SamenessTest, AChangedTokenIsSeenByItsOwnAndLaterRowsOnly) {
  std::unique_ptr<LanguageModel> model = SmallModel(GetParam());
  std::vector<int32_t> ids = RandomIds(100, 97, 5), changed = ids;
  changed[66] = (changed[66] + 1) % 97;
  Tensor a = TrainLogits(*model, ids), b = TrainLogits(*model, changed);
  EXPECT_TRUE(SameBits(a.Slice(0, 0, 66), b.Slice(0, 0, 66)));
  for (int64_t row = 66; row < 100; ++row)
    EXPECT_FALSE(SameBits(a.Slice(0, row, row + 1), b.Slice(0, row, row + 1))) << row;
}

INSTANTIATE_TEST_SUITE_P(Models, SamenessTest, testing::ValuesIn(SmallConfigNames()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace quern
