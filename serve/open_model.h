// From a model folder to an engine: the verdict first, then the weights.
#ifndef QUERN_SERVE_OPEN_MODEL_H_
#define QUERN_SERVE_OPEN_MODEL_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "serve/engine.h"
#include "serve/options.h"
#include "serve/served_model.h"

namespace quern {

struct InspectedModel {
  ServedModel model;
  std::string files_seen;  // what tells a later change of the folder's files
};

// Digests the folder's files and reads its verdict. FailedPrecondition, and nothing else is, without a matching PASSED
// verdict and without options.allow_unverified: it says why and what to do.
absl::StatusOr<InspectedModel> InspectModel(const ServeOptions& options);

// Loads model and tokenizer and starts an engine; completes `inspected.model`. Unavailable where a file of the folder
// changed since InspectModel began, so that what answers is what was verified.
absl::StatusOr<std::unique_ptr<Engine>> LoadEngine(const ServeOptions& options, InspectedModel& inspected);

}  // namespace quern

#endif  // QUERN_SERVE_OPEN_MODEL_H_
