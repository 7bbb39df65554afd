// ServedModel: what answers say of the model that gave them.
#ifndef QUERN_SERVE_SERVED_MODEL_H_
#define QUERN_SERVE_SERVED_MODEL_H_

#include <cstdint>
#include <string>

#include "base/json.h"

namespace quern {

struct ServedModel {
  std::string name;            // of the folder
  std::string sha256;          // of model.safetensors, or of a sharded model's index
  std::string verdict;         // "PASSED", or "UNVERIFIED" (only with allow_unverified)
  std::string verdict_reason;  // why it is unverified; "" for PASSED
  int64_t created = 0;         // Unix time of the weights file
  int64_t max_positions = 0;   // of prompt and answer together; 0 until it is loaded
};

// {name, sha256, verdict}.
inline Json ModelJson(const ServedModel& model) {
  return {{"name", model.name}, {"sha256", model.sha256}, {"verdict", model.verdict}};
}

}  // namespace quern

#endif  // QUERN_SERVE_SERVED_MODEL_H_
