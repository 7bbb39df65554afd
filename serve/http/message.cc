#include "serve/http/message.h"

#include <algorithm>
#include <ctime>

#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/log.h"
#include "serve/http/syntax.h"

namespace quern {
namespace {

constexpr std::pair<int, std::string_view> kPhrases[] = {
    {100, "Continue"},
    {200, "OK"},
    {204, "No Content"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

// What every answer carries unless it brings its own: nothing here is for other origins, caches or frames.
constexpr std::pair<std::string_view, std::string_view> kDefaults[] = {
    {"Cache-Control", "no-store"},
    {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Referrer-Policy", "no-referrer"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
};

// IMF-fixdate, whatever the locale: "Tue, 24 Nov 2026 09:00:00 GMT".
std::string HttpDate() {
  constexpr std::string_view kDays = "SunMonTueWedThuFriSat", kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  std::time_t now = std::time(nullptr);
  std::tm utc = {};
  gmtime_r(&now, &utc);
  auto two = [](int n) { return absl::StrCat(n < 10 ? "0" : "", n); };
  auto name = [](std::string_view names, int i) { return std::string(names.substr(static_cast<size_t>(i) * 3, 3)); };
  return absl::StrCat(name(kDays, utc.tm_wday), ", ", two(utc.tm_mday), " ", name(kMonths, utc.tm_mon), " ",
                      utc.tm_year + 1900, " ", two(utc.tm_hour), ":", two(utc.tm_min), ":", two(utc.tm_sec), " GMT");
}

void AppendField(std::string& head, std::string_view name, std::string_view value) {
  auto clean = [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; };
  CHECK(IsToken(name) && std::all_of(value.begin(), value.end(), clean)) << "WriteHead: a field must hold no controls";
  head.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

std::string_view FindField(const HttpFields& fields, std::string_view name) {
  for (const auto& field : fields) {
    if (EqualIgnoringCase(field.first, name)) return field.second;
  }
  return {};
}

std::string_view StatusPhrase(int status) {
  for (const auto& phrase : kPhrases) {
    if (phrase.first == status) return phrase.second;
  }
  return "Unknown";
}

HttpResponse ErrorResponse(const HttpError& error, std::string_view request_id) {
  Json body = {{"code", error.code}, {"message", error.message}};
  if (!error.field.empty()) body["field"] = error.field;
  if (!request_id.empty()) body["request_id"] = std::string(request_id);
  HttpResponse response;
  response.status = error.status;
  response.body = WriteJsonLine({{"error", body}}) + "\n";
  if (error.retry_after > 0) response.fields.emplace_back("Retry-After", absl::StrCat(error.retry_after));
  return response;
}

std::string WriteHead(const HttpResponse& response, const HeadOptions& options, std::string_view request_id) {
  std::string head = absl::StrCat("HTTP/1.1 ", response.status, " ");
  head.append(StatusPhrase(response.status)).append("\r\n");
  AppendField(head, "Date", HttpDate());
  if (response.status != 304 && response.status != 204) {
    AppendField(head, "Content-Type", response.content_type);
    if (options.chunked) {
      AppendField(head, "Transfer-Encoding", "chunked");
    } else {
      AppendField(head, "Content-Length", absl::StrCat(options.content_length));
    }
  }
  AppendField(head, "Connection", options.close ? "close" : "keep-alive");
  if (!request_id.empty()) AppendField(head, "X-Request-Id", request_id);
  for (const auto& field : kDefaults) {
    if (FindField(response.fields, field.first).empty()) AppendField(head, field.first, field.second);
  }
  for (const auto& field : response.fields) AppendField(head, field.first, field.second);
  return head.append("\r\n");
}

std::string WriteChunk(std::string_view bytes) {
  std::string chunk = absl::StrCat(absl::Hex(bytes.size()), "\r\n");
  return chunk.append(bytes).append("\r\n");
}

}  // namespace quern
