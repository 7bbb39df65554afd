// POST /api/generate: one JSON answer, or a stream of server-sent events.
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "serve/generate_request.h"
#include "serve/http/syntax.h"
#include "serve/origin_check.h"
#include "serve/routes.h"

namespace quern {
namespace {

std::string Event(const Json& data) { return "data: " + WriteJsonLine(data) + "\n\n"; }

Json UsageJson(const EngineUpdate& last) {
  return {{"prompt_tokens", last.prompt_tokens},
          {"completion_tokens", last.completion_tokens},
          {"total_tokens", last.prompt_tokens + last.completion_tokens}};
}

// Seconds, to the microsecond; the rate is that of decoding, where more than one token was decoded.
Json TimingsJson(const EngineUpdate& last) {
  const EngineTimes& t = last.times;
  const double decode = t.finished - t.first_token, total = t.finished - t.submitted;
  const bool decoded = last.completion_tokens > 1 && decode > 0;
  const double rate = decoded ? (last.completion_tokens - 1) / decode : total > 0 ? last.completion_tokens / total : 0;
  auto rounded = [](double value) { return std::round(value * 1e6) / 1e6; };
  return {{"queue_seconds", rounded(t.started - t.submitted)},
          {"prefill_seconds", rounded(t.first_token - t.started)},
          {"decode_seconds", rounded(decode)},
          {"total_seconds", rounded(total)},
          {"time_to_first_token_seconds", rounded(t.first_token - t.submitted)},
          {"tokens_per_second", std::round(rate * 100) / 100}};
}

// The double that is written as `value` is, 0.8 and not 0.800000012.
double Shortest(float value) {
  char text[32];
  *std::to_chars(text, text + sizeof(text) - 1, value).ptr = '\0';
  return std::strtod(text, nullptr);
}

// One request on its way: updates come on the engine's thread, the deadline and the client's leaving on the
// connection's strand. Whoever ends the answer first wins.
class Generation : public std::enable_shared_from_this<Generation> {
 public:
  Generation(ContextPtr context, ResponderPtr responder, std::string request_id, GenerateRequest request)
      : context_(std::move(context)),
        responder_(std::move(responder)),
        request_id_(std::move(request_id)),
        request_(std::move(request)) {}

  void Start() {
    Engine* engine = context_->engine();
    if (engine == nullptr) return Fail({503, "loading", "The model is still being loaded.", "", 1});
    EngineRequest request;
    request.prompt = std::move(request_.prompt);
    request.max_new_tokens = request_.max_new_tokens;
    request.default_max_new_tokens = context_->options().defaults.max_new_tokens;
    request.sampling = request_.sampling;
    request.stop = request_.stop;
    auto id = engine->Submit(std::move(request),
                             [self = shared_from_this()](EngineUpdate update) { self->Update(std::move(update)); });
    if (!id.ok()) return Fail(ErrorOf(id.status(), ""));
    auto give_up = [self = shared_from_this(), id = *id] {
      if (Engine* engine = self->context_->engine()) engine->Cancel(id);
    };
    responder_->OnDisconnect([self = shared_from_this(), give_up] {
      self->End();
      give_up();
    });
    responder_->After(context_->options().request_timeout, [self = shared_from_this(), give_up] {
      give_up();
      self->TimeOut();
    });
    if (request_.stream) KeepAlive();
  }

 private:
  // True for the one who may end the answer.
  bool End() {
    std::lock_guard<std::mutex> lock(mutex_);
    return !std::exchange(ended_, true);
  }
  bool ended() {
    std::lock_guard<std::mutex> lock(mutex_);
    return ended_;
  }

  HttpError ErrorOf(const absl::Status& status, const std::string& field) {
    if (absl::IsInvalidArgument(status)) return {422, "invalid_field", std::string(status.message()), field};
    if (absl::IsResourceExhausted(status)) {
      return {503, "queue_full", "Too many requests are waiting; try again later.", "", context_->RetryAfter()};
    }
    if (absl::IsCancelled(status)) return {503, "shutting_down", "The server is shutting down.", "", 5};
    LOG(ERROR) << "request " << request_id_ << ": " << status.ToString();
    return {500, "internal", "The server failed to generate an answer; its log says why, under this request's id."};
  }

  void Fail(const HttpError& error) {
    if (End()) SendFailure(error);
  }

  void SendFailure(const HttpError& error) {
    context_->metrics().OnError(error.code);
    HttpResponse response = ErrorResponse(error, request_id_);
    if (!BeginStream(/*only_if_begun=*/true)) return responder_->Send(std::move(response));
    // The status has gone out already; without the [DONE] of a whole answer.
    while (!response.body.empty() && response.body.back() == '\n') response.body.pop_back();
    responder_->Write("event: error\ndata: " + response.body + "\n\n");
    responder_->Finish();
  }

  void TimeOut() {
    const double limit = context_->options().request_timeout;
    bool first_token = false;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      first_token = last_token_time_ > 0;
    }
    if (first_token) return Fail({504, "timeout", absl::StrCat("The answer took longer than ", limit, " seconds.")});
    Fail({503, "timeout", absl::StrCat("The request waited longer than ", limit, " seconds."), "",
          context_->RetryAfter()});
  }

  // Whether the stream's head is out, sending it first unless `only_if_begun`.
  bool BeginStream(bool only_if_begun) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (streaming_ || only_if_begun) return streaming_;
    streaming_ = true;
    HttpResponse head;
    head.content_type = "text/event-stream; charset=utf-8";
    head.fields.emplace_back("X-Accel-Buffering", "no");
    responder_->StartStream(std::move(head));
    return true;
  }

  // A comment now and then keeps proxies from closing a stream that waits for its turn.
  void KeepAlive() {
    responder_->After(context_->options().keep_alive_seconds, [self = shared_from_this()] {
      if (self->ended()) return;
      self->BeginStream(false);
      self->responder_->Write(": waiting\n\n");
      self->KeepAlive();
    });
  }

  void Update(EngineUpdate update) {
    if (update.new_tokens > 0) NoteToken(update);
    if (update.finished && (update.status.ok() || absl::IsCancelled(update.status))) {
      context_->metrics().OnFinished(update);
    }
    if (update.finished && !update.status.ok()) return Fail(ErrorOf(update.status, update.field));
    if (!request_.stream) {
      text_ += update.text;
      if (update.finished && End()) responder_->Send(Answer(update));
      return;
    }
    if (ended()) return;
    BeginStream(false);
    if (!update.text.empty()) responder_->Write(Event({{"text", update.text}, {"tokens", tokens_}}));
    if (!update.finished || !End()) return;
    Json last = AnswerJson(update);
    last["text"] = "";
    responder_->Write(Event(last) + "data: [DONE]\n\n");
    responder_->Finish();
  }

  void NoteToken(const EngineUpdate& update) {
    double before = 0;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      before = std::exchange(last_token_time_, update.time);
    }
    tokens_ += update.new_tokens;
    if (request_.logprobs) {
      ids_.push_back(update.token);
      logprobs_.push_back(update.logprob);
    }
    if (before > 0) {
      context_->metrics().OnTokenGap(update.time - before);
    } else {
      context_->metrics().OnFirstToken(update.time - arrived_);
    }
  }

  Json AnswerJson(const EngineUpdate& last) {
    context_->NoteAnswerSeconds(last.times.finished - last.times.submitted);
    const SamplingOptions& sampling = request_.sampling;
    Json json = {{"finish_reason", last.finish_reason},
                 {"usage", UsageJson(last)},
                 {"timings", TimingsJson(last)},
                 {"model", ModelJson(context_->model())},
                 {"settings",
                  {{"max_new_tokens", last.max_new_tokens},
                   {"temperature", Shortest(sampling.temperature)},
                   {"top_k", sampling.top_k},
                   {"top_p", Shortest(sampling.top_p)},
                   {"seed", sampling.seed},
                   {"stop", request_.stop}}}};
    if (request_.logprobs) {
      json["ids"] = ids_;
      json["logprobs"] = logprobs_;
    }
    return json;
  }

  HttpResponse Answer(const EngineUpdate& last) {
    Json json = AnswerJson(last);
    json["text"] = text_;
    HttpResponse response;
    response.body = WriteJsonLine(json) + "\n";
    return response;
  }

  const ContextPtr context_;
  const ResponderPtr responder_;
  const std::string request_id_;
  const double arrived_ = MonotonicSeconds();
  GenerateRequest request_;

  // The engine thread's.
  std::string text_;
  int32_t tokens_ = 0;
  std::vector<int32_t> ids_;  // where the request asks for them
  std::vector<float> logprobs_;

  std::mutex mutex_;
  bool ended_ = false, streaming_ = false;
  double last_token_time_ = 0;
};

// JSON by any name: no type at all, or the one that curl gives to -d unless told otherwise. Forms of other sites are
// CheckOrigin's business.
bool IsJsonType(std::string_view type) {
  type = TrimBlanks(type.substr(0, type.find(';')));
  return type.empty() || EqualIgnoringCase(type, "application/json") ||
         EqualIgnoringCase(type, "application/x-www-form-urlencoded");
}

}  // namespace

void HandleGenerate(const ContextPtr& context, const HttpRequest& request, const ResponderPtr& responder) {
  auto refuse = [&](const HttpError& error) { SendError(context, request, responder, error); };
  if (auto error = CheckOrigin(request, context->options().allowed_hosts)) return refuse(*error);
  if (!IsJsonType(request.Field("Content-Type"))) {
    return refuse({400, "content_type", "The body must be JSON: send Content-Type: application/json."});
  }
  std::string_view coding = request.Field("Content-Encoding");
  if (!coding.empty() && !EqualIgnoringCase(coding, "identity")) {
    return refuse({400, "content_encoding", "Compressed bodies are not accepted; leave Content-Encoding out."});
  }
  GenerateRequest body;
  if (auto error = ReadGenerateRequest(request.body, context->options().defaults, body)) return refuse(*error);
  std::make_shared<Generation>(context, responder, request.id, std::move(body))->Start();
}

}  // namespace quern
