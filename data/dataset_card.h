// README.md of a prepared data set: a Hugging Face dataset card, written from what was measured.
#ifndef QUERN_DATA_DATASET_CARD_H_
#define QUERN_DATA_DATASET_CARD_H_

#include <string>

#include "base/json.h"

namespace quern {

// `metadata` is what metadata.json holds (prepare.h), less its seal: `source`, `settings`, `counts`, `splits`,
// `cleaning`, `outputs` and `language{code, evidence}`. The front matter is YAML: language, licence (unknown), size
// category, configs with the files that are not empty, and the sizes of the splits. The same metadata gives the same
// bytes; the timestamp is left out.
std::string WriteDatasetCard(const Json& metadata);

// "1K<n<10K": the Hub's size category.
std::string SizeCategory(int64_t records);

}  // namespace quern

#endif  // QUERN_DATA_DATASET_CARD_H_
