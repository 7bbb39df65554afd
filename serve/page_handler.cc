// GET / and the files that the page uses.
#include <string>
#include <utility>

#include "serve/http/syntax.h"
#include "serve/routes.h"
#include "serve/web/assets.h"

namespace quern {
namespace {

constexpr char kPolicy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'";

const WebAsset* Find(std::string_view path) {
  for (const WebAsset& asset : WebAssets()) {
    if (asset.path == path) return &asset;
  }
  return nullptr;
}

// "gzip" among the codings of an Accept-Encoding, unless its weight is 0.
bool AcceptsGzip(std::string_view value) {
  for (std::string_view part : SplitList(value)) {
    if (EqualIgnoringCase(TrimBlanks(part.substr(0, part.find(';'))), "gzip")) {
      return part.find("q=0") == std::string_view::npos || part.find("q=0.") != std::string_view::npos;
    }
  }
  return false;
}

bool Matches(std::string_view if_none_match, std::string_view etag) {
  for (std::string_view part : SplitList(if_none_match)) {
    if (part.substr(0, 2) == "W/") part.remove_prefix(2);
    if (part == etag || part == "*") return true;
  }
  return false;
}

}  // namespace

bool HandlePage(const ContextPtr& context, const HttpRequest& request, const ResponderPtr& responder) {
  const WebAsset* asset = Find(request.path);
  if (asset == nullptr) return false;
  responder->SetRoute(asset->immutable ? "/assets" : asset->path);
  if (request.method != "GET" && request.method != "HEAD") {
    HttpResponse response = ErrorResponse({405, "wrong_method", "This path answers GET, HEAD."}, request.id);
    response.fields.emplace_back("Allow", "GET, HEAD");
    context->metrics().OnError("wrong_method");
    responder->Send(std::move(response));
    return true;
  }
  HttpResponse response;
  response.content_type = std::string(asset->content_type);
  response.fields = {{"Content-Security-Policy", kPolicy},
                     {"Cache-Control", asset->immutable ? "public, max-age=31536000, immutable" : "no-cache"},
                     {"ETag", std::string(asset->etag)},
                     {"Vary", "Accept-Encoding"}};
  if (Matches(request.Field("If-None-Match"), asset->etag)) {
    response.status = 304;
  } else if (AcceptsGzip(request.Field("Accept-Encoding"))) {
    response.fields.emplace_back("Content-Encoding", "gzip");
    response.body = std::string(asset->gzip);
  } else {
    response.body = std::string(asset->body);
  }
  responder->Send(std::move(response));
  return true;
}

}  // namespace quern
