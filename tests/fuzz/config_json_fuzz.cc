// A config.json: what is accepted is within bounds, and reads back from what is written of it. (What is written spells
// out what was left to a default, so that it is what is compared.)
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

  const quern::Json written = quern::ModelConfigToJson(*config);
  auto again = quern::ModelConfigFromJson(written);
  CHECK_OK(again.status()) << config->ShortDebugString();
  CHECK_EQ(quern::WriteJsonLine(quern::ModelConfigToJson(*again)), quern::WriteJsonLine(written));
  CHECK_EQ((*architecture)->parameter_count(*again), (*architecture)->parameter_count(*config));
  return 0;
}
