#include "cli/bench/shapes.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/suggest.h"
#include "google/protobuf/text_format.h"

namespace quern::cli {
namespace {

struct Row {
  const char* name;
  const char* text;
};

constexpr Row kRows[] = {
#include "cli/bench/shape_rows.inc"
};

}  // namespace

std::vector<std::string> BenchShapes() {
  std::vector<std::string> names;
  for (const Row& row : kRows) names.emplace_back(row.name);
  return names;
}

absl::StatusOr<ModelConfig> BenchShape(std::string_view name) {
  for (const Row& row : kRows) {
    if (row.name != name) continue;
    ModelConfig config;
    if (!google::protobuf::TextFormat::ParseFromString(row.text, &config)) {
      return absl::InternalError(absl::StrCat("cli/bench/shapes/", row.name, ".txtpb is no ModelConfig"));
    }
    return config;
  }
  return absl::NotFoundError(absl::StrCat("no shape \"", absl::string_view(name.data(), name.size()), "\".",
                                          DidYouMean(name, BenchShapes()),
                                          " There are: ", absl::StrJoin(BenchShapes(), ", ")));
}

}  // namespace quern::cli
