// GET /v1/models: OpenAI's list, with one model, and what this server knows of it besides.
#include <utility>

#include "base/json.h"
#include "serve/routes.h"

namespace quern {

void HandleModels(const ContextPtr& context, const HttpRequest&, const ResponderPtr& responder) {
  const ServedModel model = context->model();
  const GenerateDefaults& defaults = context->options().defaults;
  Json entry = {{"id", model.name},
                {"object", "model"},
                {"created", model.created},
                {"owned_by", "quern"},
                {"max_model_len", model.max_positions},
                {"sha256", model.sha256},
                {"verdict", model.verdict},
                {"defaults",
                 {{"max_new_tokens", defaults.max_new_tokens},
                  {"temperature", defaults.temperature},
                  {"top_k", defaults.top_k},
                  {"top_p", defaults.top_p}}}};
  if (!model.verdict_reason.empty()) entry["verdict_reason"] = model.verdict_reason;
  HttpResponse response;
  response.body = WriteJsonLine({{"object", "list"}, {"data", Json::array({std::move(entry)})}}) + "\n";
  responder->Send(std::move(response));
}

}  // namespace quern
