#include "nn/language_model.h"

namespace quern {

int64_t LanguageModel::CountParameters() {
  int64_t count = 0;
  Visit([&](std::string_view, Var& parameter) { count += parameter.value().elements(); });
  return count;
}

double LanguageModel::TrainingFlopsPerToken(int64_t context) {
  double width = static_cast<double>(heads() * head_dim());
  return 6.0 * static_cast<double>(MultipliedWeights()) +
         12.0 * static_cast<double>(layers()) * width * static_cast<double>(context);
}

}  // namespace quern
