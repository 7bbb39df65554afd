// The model card: README.md of a model folder, written by `quern gate` from what is on record (report, verdict, run,
// config) and from nothing else.
//
// Front matter as the Hugging Face hub reads it: language, license, library_name, pipeline_tag, tags, and model-index
// with the results. The text: verdict and checks, how to use it, what it was trained on and how, all metrics, limits,
// digests. No timestamps: the same records give the same bytes.
#ifndef QUERN_EVAL_MODEL_CARD_H_
#define QUERN_EVAL_MODEL_CARD_H_

#include <string>

#include "absl/status/status.h"
#include "base/json.h"
#include "eval/gate.h"

namespace quern {

// The card's text. `report`: what the gate judged. Reads config.json and quern/run.json of the folder. The owner's say
// (license*, language, base_model and datasets in the front matter of an existing README.md) is kept.
std::string ModelCard(const std::string& model_folder, const GateResult& result, const Json& report);

// Writes it as M/README.md. A README.md that was not written by this function is kept as README.original.md.
absl::Status WriteModelCard(const std::string& model_folder, const GateResult& result, const Json& report);

}  // namespace quern

#endif  // QUERN_EVAL_MODEL_CARD_H_
