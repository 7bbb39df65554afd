// The front matter of a model card: YAML between two lines of "---", as the Hugging Face hub reads it.
#ifndef QUERN_EVAL_CARD_FRONT_MATTER_H_
#define QUERN_EVAL_CARD_FRONT_MATTER_H_

#include <string>
#include <string_view>

#include "base/json.h"

namespace quern {

// language, license, library_name, pipeline_tag, tags, and model-index with a result per test file and metric. Metrics
// that are null, and rates, which are a machine's, are left out. `language`: an ISO 639-1 code or "". What `existing`,
// a card with front matter or "", says about license, license_name, license_link, language, base_model and datasets is
// taken over as it stands.
std::string CardFrontMatter(const std::string& name, const Json& config, const Json& report, std::string_view language,
                            std::string_view existing);

// The last part of the folder's path: what the model is called.
std::string CardName(const std::string& model_folder);

}  // namespace quern

#endif  // QUERN_EVAL_CARD_FRONT_MATTER_H_
