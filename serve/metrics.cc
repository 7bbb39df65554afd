#include "serve/metrics.h"

#include <ctime>
#include <utility>
#include <vector>

#include "prometheus/counter.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"
#include "prometheus/text_serializer.h"

namespace quern {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using Buckets = Histogram::BucketBoundaries;

const Buckets kFirstToken = {0.0005, 0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75,
                             1,      2.5,   5,     7.5,  10,   20,   40,   80,   160, 640,  2560};
const Buckets kTokenGap = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2,
                           0.3,    0.4,     0.5,    0.75,  1,      2.5,   5,    7.5,   10,   20,    40,  80};
const Buckets kRequest = {0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1,   1.5, 2,    2.5, 5,
                          10,    15,   20,    30,   40,  50,  60,  120, 240, 480, 960, 1920, 7680};
const Buckets kTokens = {1,    2,    5,    10,    20,    50,    100,    200,    500,
                         1000, 2000, 5000, 10000, 20000, 50000, 100000, 200000, 500000};

// The visible list of what stands a second time under vLLM's name.
constexpr std::pair<const char*, const char*> kAliases[] = {
    {"quern_requests_running", "vllm:num_requests_running"},
    {"quern_requests_waiting", "vllm:num_requests_waiting"},
    {"quern_kv_cache_usage_ratio", "vllm:kv_cache_usage_perc"},
    {"quern_prompt_tokens_total", "vllm:prompt_tokens_total"},
    {"quern_generation_tokens_total", "vllm:generation_tokens_total"},
    {"quern_request_success_total", "vllm:request_success_total"},
    {"quern_time_to_first_token_seconds", "vllm:time_to_first_token_seconds"},
    {"quern_inter_token_latency_seconds", "vllm:inter_token_latency_seconds"},
    {"quern_request_latency_seconds", "vllm:e2e_request_latency_seconds"},
    {"quern_request_queue_time_seconds", "vllm:request_queue_time_seconds"},
    {"quern_request_prefill_time_seconds", "vllm:request_prefill_time_seconds"},
    {"quern_request_decode_time_seconds", "vllm:request_decode_time_seconds"},
    {"quern_request_prompt_tokens", "vllm:request_prompt_tokens"},
    {"quern_request_generation_tokens", "vllm:request_generation_tokens"},
};

Family<Counter>& Counters(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

Histogram& Distribution(prometheus::Registry& registry, const char* name, const char* help, const Buckets& buckets) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add({}, buckets);
}

prometheus::MetricFamily GaugeNow(const char* name, const char* help, double value,
                                  std::vector<prometheus::ClientMetric::Label> labels = {}) {
  prometheus::MetricFamily family;
  family.name = name;
  family.help = help;
  family.type = prometheus::MetricType::Gauge;
  prometheus::ClientMetric metric;
  metric.label = std::move(labels);
  metric.gauge.value = value;
  family.metric.push_back(std::move(metric));
  return family;
}

}  // namespace

struct ServeMetrics::Impl {
  prometheus::Registry registry;
  const double start_time = static_cast<double>(std::time(nullptr));

  Family<Counter>& http_requests = Counters(registry, "quern_http_requests_total", "Answers, by route and status.");
  Family<Histogram>& http_duration = prometheus::BuildHistogram()
                                         .Name("quern_http_request_duration_seconds")
                                         .Help("From the end of a request to the end of its answer.")
                                         .Register(registry);
  Family<Counter>& errors = Counters(registry, "quern_errors_total", "Requests refused or failed, by code.");
  Family<Counter>& success =
      Counters(registry, "quern_request_success_total", "Answers generated, by what ended them.");
  Counter& clients_left =
      Counters(registry, "quern_clients_left_total", "Clients that left before their answer ended.").Add({});
  Counter& prompt_tokens = Counters(registry, "quern_prompt_tokens_total", "Prompt tokens read.").Add({});
  Counter& generation_tokens = Counters(registry, "quern_generation_tokens_total", "Tokens generated.").Add({});
  Gauge& ready = prometheus::BuildGauge()
                     .Name("quern_ready")
                     .Help("Whether the last readiness probe generated its token.")
                     .Register(registry)
                     .Add({});

  Histogram& first_token = Distribution(registry, "quern_time_to_first_token_seconds",
                                        "From a request's arrival to its first token.", kFirstToken);
  Histogram& token_gap =
      Distribution(registry, "quern_inter_token_latency_seconds", "Between two tokens of one answer.", kTokenGap);
  Histogram& latency =
      Distribution(registry, "quern_request_latency_seconds", "From a request's arrival to its last token.", kRequest);
  Histogram& queue_time =
      Distribution(registry, "quern_request_queue_time_seconds", "Waiting to be admitted to the batch.", kRequest);
  Histogram& prefill_time =
      Distribution(registry, "quern_request_prefill_time_seconds", "From admission to the first token.", kRequest);
  Histogram& decode_time =
      Distribution(registry, "quern_request_decode_time_seconds", "From the first token to the last.", kRequest);
  Histogram& prompt_length = Distribution(registry, "quern_request_prompt_tokens", "Prompt tokens a request.", kTokens);
  Histogram& answer_length =
      Distribution(registry, "quern_request_generation_tokens", "Generated tokens a request.", kTokens);
};

ServeMetrics::ServeMetrics() : impl_(std::make_unique<Impl>()) {
  // So that rates exist before the first of each.
  for (const char* reason : {"stop", "length", "abort"}) impl_->success.Add({{"finished_reason", reason}});
}
ServeMetrics::~ServeMetrics() = default;

void ServeMetrics::OnHttp(const HttpRecord& record) {
  const std::string route = record.route.empty() ? "other" : record.route;
  const std::string method = record.method.empty() ? "other" : record.method;
  impl_->http_requests.Add({{"method", method}, {"path", route}, {"status", std::to_string(record.status)}})
      .Increment();
  impl_->http_duration.Add({{"path", route}}, kRequest).Observe(record.seconds);
  if (!record.code.empty()) OnError(record.code);
  if (record.client_left) OnClientLeft();
}

void ServeMetrics::OnError(std::string_view code) { impl_->errors.Add({{"code", std::string(code)}}).Increment(); }
void ServeMetrics::OnClientLeft() { impl_->clients_left.Increment(); }
void ServeMetrics::OnFirstToken(double seconds) { impl_->first_token.Observe(seconds); }
void ServeMetrics::OnTokenGap(double seconds) { impl_->token_gap.Observe(seconds); }
void ServeMetrics::SetReady(bool ready) { impl_->ready.Set(ready ? 1 : 0); }

void ServeMetrics::OnFinished(const EngineUpdate& last) {
  const bool ok = last.status.ok();
  impl_->success.Add({{"finished_reason", ok ? last.finish_reason : "abort"}}).Increment();
  if (last.times.started > 0) impl_->prompt_tokens.Increment(last.prompt_tokens);
  impl_->generation_tokens.Increment(last.completion_tokens);
  if (!ok) return;
  const EngineTimes& times = last.times;
  impl_->latency.Observe(times.finished - times.submitted);
  impl_->queue_time.Observe(times.started - times.submitted);
  impl_->prefill_time.Observe(times.first_token - times.started);
  impl_->decode_time.Observe(times.finished - times.first_token);
  impl_->prompt_length.Observe(last.prompt_tokens);
  impl_->answer_length.Observe(last.completion_tokens);
}

std::string ServeMetrics::Render(const Now& now) const {
  std::vector<prometheus::MetricFamily> families = impl_->registry.Collect();
  const EngineStats& engine = now.engine;
  double usage = engine.cache_blocks_total == 0
                     ? 0
                     : static_cast<double>(engine.cache_blocks_used) / static_cast<double>(engine.cache_blocks_total);
  families.push_back(GaugeNow("quern_requests_running", "Sequences being decoded.", engine.running));
  families.push_back(GaugeNow("quern_requests_waiting", "Requests waiting to be admitted.", engine.waiting));
  families.push_back(GaugeNow("quern_kv_cache_usage_ratio", "Share of the key-value cache in use.", usage));
  families.push_back(
      GaugeNow("quern_engine_seconds_since_step", "Age of the engine's last sign of life.", engine.seconds_since_step));
  families.push_back(GaugeNow("quern_http_connections", "Open connections.", now.connections));
  families.push_back(GaugeNow("quern_started", "Whether the model is loaded.", now.started ? 1 : 0));
  families.push_back(GaugeNow("quern_model_info", "The model that is served.", 1,
                              {{"name", now.model_name}, {"sha256", now.model_sha256}, {"verdict", now.verdict}}));
  families.push_back(GaugeNow("process_start_time_seconds", "Seconds since the epoch.", impl_->start_time));
  const size_t own = families.size();
  for (size_t i = 0; i < own; ++i) {
    for (const auto& alias : kAliases) {
      if (families[i].name != alias.first) continue;
      prometheus::MetricFamily copy = families[i];
      copy.name = alias.second;
      for (prometheus::ClientMetric& metric : copy.metric) metric.label.push_back({"model_name", now.model_name});
      families.push_back(std::move(copy));
    }
  }
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace quern
