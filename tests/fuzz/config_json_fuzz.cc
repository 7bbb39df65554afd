// A config.json: what is accepted is within bounds, and reads back from what is written of it.
#include <cstdint>

#include "base/json.h"
#include "base/log.h"
#include "nn/model_folder.h"
#include "nn/models/models.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  quern::SetMinLogSeverity(quern::LogSeverity::kFatal);
  auto json = quern::ParseJson({reinterpret_cast<const char*>(data), size}, "config.json");
  if (!json.ok()) return 0;
  auto config = quern::ModelConfigFromJson(*json);
  if (!config.ok()) return 0;

  auto architecture = quern::ValidArchitecture(*config);
  CHECK_OK(architecture.status());
  CHECK_GT((*architecture)->parameter_count(*config), 0);

  auto again = quern::ModelConfigFromJson(quern::ModelConfigToJson(*config));
  CHECK_OK(again.status()) << config->ShortDebugString();
  CHECK_EQ(again->SerializeAsString(), config->SerializeAsString());
  return 0;
}
