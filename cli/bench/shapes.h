// The shapes that `quern bench --shape` knows: the files of cli/bench/shapes/, built into the program. Adding one is
// adding a file.
#ifndef QUERN_CLI_BENCH_SHAPES_H_
#define QUERN_CLI_BENCH_SHAPES_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "nn/model_config.pb.h"

namespace quern::cli {

// In the order of the alphabet: "gpt2-124m", "llama-1b", ...
std::vector<std::string> BenchShapes();

// NotFound lists the shapes and suggests the nearest.
absl::StatusOr<ModelConfig> BenchShape(std::string_view name);

}  // namespace quern::cli

#endif  // QUERN_CLI_BENCH_SHAPES_H_
