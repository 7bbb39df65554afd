// The page's files, embedded at build time by embed.sh.
#ifndef QUERN_SERVE_WEB_ASSETS_H_
#define QUERN_SERVE_WEB_ASSETS_H_

#include <span>
#include <string_view>

namespace quern {

struct WebAsset {
  std::string_view path;  // "/" or "/assets/app-0123456789abcdef.js": the name changes with the content
  std::string_view content_type;
  std::string_view body, gzip;
  std::string_view etag;   // quoted
  bool immutable = false;  // may be cached for ever
};

std::span<const WebAsset> WebAssets();

}  // namespace quern

#endif  // QUERN_SERVE_WEB_ASSETS_H_
