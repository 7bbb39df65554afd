#include "serve/origin_check.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "serve/http/syntax.h"

namespace quern {
namespace {

// RFC 6761, section 6.3: names below localhost are loopback names.
bool CannotBeRebound(const std::string& host) {
  return host == "localhost" || host.ends_with(".localhost") || IsIpLiteral(host);
}

// "http://host:port" or "https://...": the authority; "" for anything else ("null").
std::string_view OriginAuthority(std::string_view origin) {
  for (std::string_view scheme : {"http://", "https://"}) {
    if (origin.starts_with(scheme) && IsAuthority(origin.substr(scheme.size()))) {
      return origin.substr(scheme.size());
    }
  }
  return {};
}

}  // namespace

std::optional<HttpError> CheckOrigin(const HttpRequest& request, const std::vector<std::string>& allowed_hosts) {
  auto refuse = [](std::string message) { return HttpError{403, "origin", std::move(message)}; };
  std::string_view site = request.Field("Sec-Fetch-Site");
  if (site == "cross-site" || site == "same-site") return refuse("Pages of other sites may not use this server.");
  int origins = 0;
  for (const auto& field : request.fields) origins += EqualIgnoringCase(field.first, "Origin") ? 1 : 0;
  if (origins == 0) return std::nullopt;  // not a browser
  std::string_view authority = OriginAuthority(request.Field("Origin"));
  if (origins > 1 || authority.empty()) return refuse("Pages of other sites may not use this server.");
  const std::string host = AuthorityHost(authority);
  auto is_host = [&](const std::string& name) { return EqualIgnoringCase(name, host); };
  if (std::any_of(allowed_hosts.begin(), allowed_hosts.end(), is_host)) return std::nullopt;
  if (!EqualIgnoringCase(authority, request.host)) return refuse("Pages of other sites may not use this server.");
  if (CannotBeRebound(host)) return std::nullopt;
  return refuse(absl::StrCat("This server is not known by the name ", host,
                             ". If it is yours, list the name: ALLOWED_HOSTS=", host, " or --allowed_hosts ", host,
                             "."));
}

}  // namespace quern
