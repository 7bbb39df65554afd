// Small grammars of HTTP/1.1, strictly: RFC 9110 section 5.6 (tokens), RFC 3986 (targets, authorities), RFC 9112.
#ifndef QUERN_SERVE_HTTP_SYNTAX_H_
#define QUERN_SERVE_HTTP_SYNTAX_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

bool IsToken(std::string_view text);
// Without spaces and tabs at both ends.
std::string_view TrimBlanks(std::string_view text);
std::string AsciiLower(std::string_view text);
bool EqualIgnoringCase(std::string_view a, std::string_view b);
// The parts of a comma-separated list, trimmed; empty parts are kept, so that ", x" can be refused.
std::vector<std::string_view> SplitList(std::string_view value);

// Decimal digits only (no sign, blank, list or base), at most 19 of them.
std::optional<uint64_t> ParseContentLength(std::string_view value);
// One to eight hexadecimal digits.
std::optional<uint64_t> ParseChunkSize(std::string_view text);
// What may follow a chunk's size: *( ";" token [ "=" ( token / quoted-string ) ] ), without blanks between them.
bool IsChunkExtensions(std::string_view text);

// "host", "host:port", "[v6]:port": letters, digits and "-._~" in a name; no user, no path, no list.
bool IsAuthority(std::string_view text);
// The host of such an authority, lower case, without port or brackets.
std::string AuthorityHost(std::string_view authority);
// Dotted IPv4, or (without brackets) IPv6: what a browser cannot be tricked into resolving.
bool IsIpLiteral(std::string_view host);

// A path that begins with "/", and a query: the characters of RFC 3986 with well-formed percent-encoding; no fragment.
bool IsOriginForm(std::string_view target);

}  // namespace quern

#endif  // QUERN_SERVE_HTTP_SYNTAX_H_
