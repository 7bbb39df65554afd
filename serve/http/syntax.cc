#include "serve/http/syntax.h"

#include <algorithm>

namespace quern {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsAlpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsHex(char c) { return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool OneOf(char c, std::string_view set) { return set.find(c) != std::string_view::npos; }

bool AllOf(std::string_view text, bool (*allowed)(char)) {
  return !text.empty() && std::all_of(text.begin(), text.end(), allowed);
}

bool IsPort(std::string_view text) {
  if (!AllOf(text, IsDigit) || text.size() > 5) return false;
  int port = 0;
  for (char c : text) port = port * 10 + (c - '0');
  return port <= 65535;
}

bool IsHostName(std::string_view host) {
  return AllOf(host, [](char c) { return IsAlpha(c) || IsDigit(c) || OneOf(c, "-._~"); });
}

// Splits at the port's colon; false where the brackets of an IPv6 address are not closed.
bool SplitAuthority(std::string_view text, std::string_view& host, std::optional<std::string_view>& port) {
  size_t end = text.find(':');
  if (!text.empty() && text[0] == '[') {
    size_t bracket = text.find(']');
    if (bracket == std::string_view::npos) return false;
    end = bracket + 1 < text.size() ? bracket + 1 : std::string_view::npos;
    if (end != std::string_view::npos && text[end] != ':') return false;
  }
  host = text.substr(0, end);
  if (end != std::string_view::npos) port = text.substr(end + 1);
  return true;
}

}  // namespace

bool IsToken(std::string_view text) {
  return AllOf(text, [](char c) { return IsAlpha(c) || IsDigit(c) || OneOf(c, "!#$%&'*+-.^_`|~"); });
}

std::string_view TrimBlanks(std::string_view text) {
  while (!text.empty() && OneOf(text.front(), " \t")) text.remove_prefix(1);
  while (!text.empty() && OneOf(text.back(), " \t")) text.remove_suffix(1);
  return text;
}

std::string AsciiLower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

bool EqualIgnoringCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() && AsciiLower(a) == AsciiLower(b);
}

std::vector<std::string_view> SplitList(std::string_view value) {
  std::vector<std::string_view> parts;
  while (true) {
    size_t comma = value.find(',');
    parts.push_back(TrimBlanks(value.substr(0, comma)));
    if (comma == std::string_view::npos) return parts;
    value.remove_prefix(comma + 1);
  }
}

std::optional<uint64_t> ParseContentLength(std::string_view value) {
  if (!AllOf(value, IsDigit) || value.size() > 19) return std::nullopt;
  uint64_t length = 0;
  for (char c : value) length = length * 10 + static_cast<uint64_t>(c - '0');
  return length;
}

std::optional<uint64_t> ParseChunkSize(std::string_view text) {
  if (!AllOf(text, IsHex) || text.size() > 8) return std::nullopt;
  uint64_t size = 0;
  for (char c : text) size = size * 16 + static_cast<uint64_t>(IsDigit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
  return size;
}

bool IsChunkExtensions(std::string_view text) {
  // Takes a token, and a quoted string, from the front.
  const auto take_token = [&text] {
    size_t size = 0;
    while (size < text.size() && IsToken(text.substr(size, 1))) ++size;
    text.remove_prefix(size);
    return size > 0;
  };
  const auto take_quoted = [&text] {
    for (size_t at = 1; at < text.size(); ++at) {
      if (text[at] == '"') {
        text.remove_prefix(at + 1);
        return true;
      }
      if (text[at] == '\\') ++at;
    }
    return false;
  };
  while (!text.empty()) {
    if (text[0] != ';') return false;
    text.remove_prefix(1);
    if (!take_token()) return false;
    if (text.empty() || text[0] != '=') continue;
    text.remove_prefix(1);
    if (!(text.substr(0, 1) == "\"" ? take_quoted() : take_token())) return false;
  }
  return true;
}

bool IsAuthority(std::string_view text) {
  std::string_view host;
  std::optional<std::string_view> port;
  if (!SplitAuthority(text, host, port)) return false;
  if (port.has_value() && !IsPort(*port)) return false;
  if (!host.empty() && host[0] == '[') return IsIpLiteral(host.substr(1, host.size() - 2));
  return IsHostName(host);
}

std::string AuthorityHost(std::string_view authority) {
  std::string_view host;
  std::optional<std::string_view> port;
  if (!SplitAuthority(authority, host, port)) return "";
  if (host.size() >= 2 && host[0] == '[') host = host.substr(1, host.size() - 2);
  return AsciiLower(host);
}

bool IsIpLiteral(std::string_view host) {
  if (host.find(':') != std::string_view::npos) {
    return AllOf(host, [](char c) { return IsHex(c) || OneOf(c, ":."); }) && host.size() <= 45;
  }
  int parts = 0, value = -1;
  for (size_t i = 0; i <= host.size(); ++i) {
    if (i == host.size() || host[i] == '.') {
      if (value < 0) return false;
      ++parts;
      value = -1;
    } else if (IsDigit(host[i])) {
      value = std::max(value, 0) * 10 + (host[i] - '0');
      if (value > 255) return false;
    } else {
      return false;
    }
  }
  return parts == 4;
}

bool IsOriginForm(std::string_view target) {
  if (target.empty() || target[0] != '/') return false;
  for (size_t i = 0; i < target.size(); ++i) {
    char c = target[i];
    if (c == '%') {
      if (i + 2 >= target.size() || !IsHex(target[i + 1]) || !IsHex(target[i + 2])) return false;
      i += 2;
    } else if (!IsAlpha(c) && !IsDigit(c) && !OneOf(c, "-._~!$&'()*+,;=:@/?")) {
      return false;
    }
  }
  return true;
}

}  // namespace quern
