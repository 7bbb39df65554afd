// What every version of Embedding takes.
#ifndef QUERN_KERNELS_EMBEDDING_EMBEDDING_ARGS_H_
#define QUERN_KERNELS_EMBEDDING_EMBEDDING_ARGS_H_

#include <cstdint>

#include "kernels/for_each_isa.h"

namespace quern {

struct EmbeddingArgs {
  const float* table;  // [vocabulary, cols]
  const int32_t* ids;  // [count]
  float* y;            // [count, cols]
  int64_t cols;
};

// The work of the backward pass is cut between `count` places of each of the strips of kEmbeddingStrip columns.
inline constexpr int64_t kEmbeddingStrip = 256;

struct EmbeddingBackwardArgs {
  const float* dy;       // [count, cols]
  const int32_t* ids;    // [count]
  const int32_t* order;  // [count]: rows of dy, sorted by id, ascending where ids are equal
  float* dtable;         // [vocabulary, cols]
  int64_t count, cols;
  bool add;
};

QUERN_FOR_EACH_ISA(
    // Rows [begin, end).
    void EmbeddingRows(const EmbeddingArgs& args, int64_t begin, int64_t end);
    // Places [begin, end) of strips x count: the ids whose first place in `order` is among them, in that strip's
    // columns.
    void EmbeddingBackwardPlaces(const EmbeddingBackwardArgs& args, int64_t begin, int64_t end);)

}  // namespace quern

#endif  // QUERN_KERNELS_EMBEDDING_EMBEDDING_ARGS_H_
