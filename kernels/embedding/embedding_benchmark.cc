#include "kernels/embedding/embedding.h"

#include <cstring>
#include <vector>

#include "base/rng.h"
#include "kernels/benchmark.h"
#include "kernels/testing.h"

namespace quern {
namespace {

struct Sizes {
  int64_t vocabulary, cols, tokens;
};

std::string Text(const Sizes& s) {
  return std::to_string(s.tokens) + " of " + std::to_string(s.vocabulary) + "x" + std::to_string(s.cols);
}

// Low ids are frequent, as in text.
Tensor SomeIds(const Sizes& s) {
  std::vector<int32_t> ids;
  for (int64_t n = 0; n < s.tokens; ++n) {
    float u = UniformFloat(RandomWords({1, RngStream::kTest}, 2, 0, n)[0]);
    ids.push_back(static_cast<int32_t>(u * u * static_cast<float>(s.vocabulary)));
  }
  return Tensor::Of(ids, {s.tokens});
}

BenchmarkCase Forward(const Sizes& s) {
  BenchmarkCase c;
  c.name = "forward " + Text(s);
  c.bytes = 8.0 * static_cast<double>(s.tokens * s.cols);
  c.written = c.bytes / 2;
  c.footprint = c.bytes * 1.5;
  c.prepare = [=](BenchmarkCase& self) {
    Tensor table = RandomTensor({s.vocabulary, s.cols}, 1), ids = SomeIds(s);
    Tensor y = Tensor::Empty({s.tokens, s.cols}, DType::kF32);
    self.run = [=] { Embedding(table, ids); };
    self.opponents.emplace_back("memcpy of rows", [=]() mutable {
      const int32_t* id = ids.data<int32_t>();
      float* to = y.mutable_data<float>();
      for (int64_t n = 0; n < s.tokens; ++n) {
        std::memcpy(to + n * s.cols, table.data<float>() + id[n] * s.cols, sizeof(float) * s.cols);
      }
    });
  };
  return c;
}

// Into what is there, as a table that is also the head's weight has it.
BenchmarkCase Backward(const Sizes& s) {
  BenchmarkCase c;
  c.name = "backward " + Text(s);
  c.bytes = 12.0 * static_cast<double>(s.tokens * s.cols);
  c.written = c.bytes / 3;
  c.prepare = [=](BenchmarkCase& self) {
    Tensor dy = RandomTensor({s.tokens, s.cols}, 1), ids = SomeIds(s);
    Tensor dtable = Tensor::Zeros({s.vocabulary, s.cols}, DType::kF32);
    self.run = [=] {
      Slot slot(dtable, /*accumulate=*/true);
      EmbeddingBackward(dy, ids, slot);
    };
    self.opponents.emplace_back("plain loops", [=]() mutable {
      const int32_t* id = ids.data<int32_t>();
      const float* from = dy.data<float>();
      float* table = dtable.mutable_data<float>();
      for (int64_t n = 0; n < s.tokens; ++n) {
        for (int64_t i = 0; i < s.cols; ++i) table[id[n] * s.cols + i] += from[n * s.cols + i];
      }
    });
  };
  return c;
}

std::vector<BenchmarkCase> Cases() {
  std::vector<BenchmarkCase> cases;
  for (const Sizes& s : {Sizes{65, 128, 768}, {50257, 768, 256}, {50257, 768, 8192}}) {
    cases.push_back(Forward(s));
    cases.push_back(Backward(s));
  }
  return cases;
}

}  // namespace
}  // namespace quern

int main(int argc, char** argv) { return quern::BenchmarkMain(argc, argv, "embedding", quern::Cases); }
