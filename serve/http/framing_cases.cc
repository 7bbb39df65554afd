// What RFC 9112 says to refuse, what the smuggling advisories of other servers name, and controls that must pass.
#include "absl/strings/str_cat.h"
#include "serve/http/testing.h"

namespace quern {
namespace {

using Cases = std::vector<FramingCase>;

// A GET with a request line and fields as given.
std::string Get(const std::string& line, const std::string& fields) { return line + "\r\n" + fields + "\r\n"; }
// A POST to "/" with Host, and fields and body as given.
std::string Post(const std::string& fields, const std::string& body) {
  return "POST / HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n" + body;
}
std::string Chunked(const std::string& body) { return Post("Transfer-Encoding: chunked\r\n", body); }

void AddRequestLines(Cases& cases) {
  const std::string host = "Host: x\r\n";
  cases.push_back({"plain", Get("GET / HTTP/1.1", host), 200, true});
  cases.push_back({"one empty line first", "\r\n" + Get("GET / HTTP/1.1", host), 200, true});
  cases.push_back({"two empty lines first", "\r\n\r\n" + Get("GET / HTTP/1.1", host), 400});
  cases.push_back({"query", Get("GET /?a=b%20c HTTP/1.1", host), 200, true});
  cases.push_back({"absolute form of this host", Get("GET http://X/ HTTP/1.1", host), 200, true});
  cases.push_back({"absolute form of another host", Get("GET http://y/ HTTP/1.1", host), 400});
  cases.push_back({"absolute form with a user", Get("GET http://u@x/ HTTP/1.1", host), 400});
  cases.push_back({"absolute form, other scheme", Get("GET ftp://x/ HTTP/1.1", host), 400});
  cases.push_back({"asterisk with GET", Get("GET * HTTP/1.1", host), 400});
  cases.push_back({"asterisk with OPTIONS", Get("OPTIONS * HTTP/1.1", host), 400});
  cases.push_back({"authority form", Get("GET x:80 HTTP/1.1", host), 400});
  cases.push_back({"CONNECT", Get("CONNECT x:80 HTTP/1.1", host), 501});
  cases.push_back({"target without slash", Get("GET index HTTP/1.1", host), 400});
  cases.push_back({"fragment in the target", Get("GET /#top HTTP/1.1", host), 400});
  cases.push_back({"bad percent-encoding", Get("GET /%zz HTTP/1.1", host), 400});
  cases.push_back({"cut percent-encoding", Get("GET /%2 HTTP/1.1", host), 400});
  cases.push_back({"blank in the target", Get("GET /a b HTTP/1.1", host), 400});
  cases.push_back({"tab in the request line", Get("GET\t/ HTTP/1.1", host), 400});
  cases.push_back({"two blanks in the request line", Get("GET  / HTTP/1.1", host), 400});
  cases.push_back({"blank after the version", Get("GET / HTTP/1.1 ", host), 400});
  cases.push_back({"blank first", Get(" GET / HTTP/1.1", host), 400});
  cases.push_back({"high byte in the target", Get("GET /\xc3\xa9 HTTP/1.1", host), 400});
  cases.push_back({"no version", Get("GET /", host), 400});
  cases.push_back({"HTTP/1.0", Get("GET / HTTP/1.0", host), 505});
  cases.push_back({"HTTP/2.0", Get("GET / HTTP/2.0", host), 505});
  cases.push_back({"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505});
  cases.push_back({"HTTP/1.10", Get("GET / HTTP/1.10", host), 400});
  cases.push_back({"lower case version", Get("GET / http/1.1", host), 400});
  cases.push_back({"unknown method", Get("BREW / HTTP/1.1", host), 501});
  cases.push_back({"lower case method", Get("get / HTTP/1.1", host), 501});
  cases.push_back({"method that is no token", Get("GE(T / HTTP/1.1", host), 400});
  cases.push_back({"TLS hello", std::string("\x16\x03\x01\x02\x00\x01\x00", 7), 400});
  cases.push_back({"endless request line", "GET /" + std::string(9000, 'a') + " HTTP/1.1\r\n", 414});
}

void AddFields(Cases& cases) {
  const std::string line = "GET / HTTP/1.1";
  cases.push_back({"no Host", Get(line, ""), 400});
  cases.push_back({"two Hosts", Get(line, "Host: x\r\nHost: x\r\n"), 400});
  cases.push_back({"empty Host", Get(line, "Host:\r\n"), 400});
  cases.push_back({"Host list", Get(line, "Host: x, y\r\n"), 400});
  cases.push_back({"Host with a path", Get(line, "Host: x/y\r\n"), 400});
  cases.push_back({"Host with a user", Get(line, "Host: u@x\r\n"), 400});
  cases.push_back({"Host port too large", Get(line, "Host: x:65536\r\n"), 400});
  cases.push_back({"Host IPv6", Get(line, "Host: [::1]:8000\r\n"), 200, true});
  cases.push_back({"blank before the colon", Get(line, "Host: x\r\nA : b\r\n"), 400});
  cases.push_back({"no colon", Get(line, "Host: x\r\nA\r\n"), 400});
  cases.push_back({"empty name", Get(line, "Host: x\r\n: b\r\n"), 400});
  cases.push_back({"name that is no token", Get(line, "Host: x\r\nA[0]: b\r\n"), 400});
  cases.push_back({"folded field", Get(line, "Host: x\r\nA: b\r\n c\r\n"), 400});
  cases.push_back({"blank before the first field", Get(line, " Host: x\r\n"), 400});
  cases.push_back({"bare LF", "GET / HTTP/1.1\nHost: x\n\n", 400});
  cases.push_back({"bare LF in a field", Get(line, "Host: x\r\nA: b\nC: d\r\n"), 400});
  cases.push_back({"bare CR in a field", Get(line, "Host: x\r\nA: b\rC: d\r\n"), 400});
  cases.push_back({"CR CR LF", Get(line, "Host: x\r\r\n"), 400});
  cases.push_back({"NUL in a field", Get(line, std::string("Host: x\r\nA: b\0c\r\n", 17)), 400});
  cases.push_back({"vertical tab in a field", Get(line, "Host: x\r\nA: \vb\r\n"), 400});
  cases.push_back({"high bytes in a value", Get(line, "Host: x\r\nA: \xc3\xa9\r\n"), 200, true});
  cases.push_back({"blanks around a value", Get(line, "Host: \t x \t\r\n"), 200, true});
  cases.push_back({"Connection: close", Get(line, "Host: x\r\nConnection: keep-alive, Close\r\n"), 200, false});
  cases.push_back({"Connection with empty parts", Get(line, "Host: x\r\nConnection: , close,\r\n"), 200, false});
  cases.push_back({"Connection that is no list", Get(line, "Host: x\r\nConnection: keep alive\r\n"), 400});
  cases.push_back({"unknown expectation", Get(line, "Host: x\r\nExpect: 200-ok\r\n"), 417});
  cases.push_back({"large head", Get(line, "Host: x\r\nA: " + std::string(20000, 'a') + "\r\n"), 431});
  std::string many;
  for (int i = 0; i < 101; ++i) absl::StrAppend(&many, "A", i, ": b\r\n");
  cases.push_back({"many fields", Get(line, "Host: x\r\n" + many), 431});
}

void AddLengths(Cases& cases) {
  cases.push_back({"body", Post("Content-Length: 3\r\n", "abc"), 200, true});
  cases.push_back({"no length: no body", Post("", ""), 200, true});
  cases.push_back({"two lengths", Post("Content-Length: 3\r\nContent-Length: 4\r\n", "abcd"), 400});
  cases.push_back({"the same length twice", Post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), 400});
  for (const char* value : {"+3", "-3", "3, 3", "3,4", "0x3", "3 ", "3.0", "1e1", "", "3;", "18446744073709551619"}) {
    const bool trimmed = std::string(value) == "3 ";  // blanks around a value are no part of it
    cases.push_back({absl::StrCat("length \"", value, "\""),
                     Post(absl::StrCat("Content-Length: ", value, "\r\n"), "abc"), trimmed ? 200 : 400, trimmed});
  }
  cases.push_back({"length too large", Post("Content-Length: 2147483648\r\n", ""), 413});
  cases.push_back({"length of 19 digits", Post("Content-Length: 9999999999999999999\r\n", ""), 413});
  cases.push_back(
      {"length and chunked", Post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400});
  cases.push_back(
      {"chunked and length", Post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "0\r\n\r\n"), 400});
}

void AddChunked(Cases& cases) {
  cases.push_back({"chunked", Chunked("3\r\nabc\r\n0\r\n\r\n"), 200, true});
  cases.push_back({"chunked, any case", Post("Transfer-Encoding: Chunked\r\n", "0\r\n\r\n"), 200, true});
  cases.push_back({"chunk extension", Chunked("3;a=\"b\"\r\nabc\r\n0;c\r\n\r\n"), 200, true});
  cases.push_back({"trailer", Chunked("3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"), 200, true});
  for (const char* value : {"identity", "xchunked", "chunked, identity", "chunked, chunked", "chunked;q=1", "",
                            "chunked,", ", chunked", "\"chunked\"", "chunked identity"}) {
    cases.push_back({absl::StrCat("coding \"", value, "\""),
                     Post(absl::StrCat("Transfer-Encoding: ", value, "\r\n"), "0\r\n\r\n"), 400});
  }
  cases.push_back({"gzip, chunked", Post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 501});
  cases.push_back(
      {"chunked twice", Post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400});
  cases.push_back({"blank before chunked's colon", Post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), 400});
  for (const char* size : {"0x3", "+3", "-2", "g", "", " 3", "3 ", "3 ;a", "1ffffffffffffffff", "000000003"}) {
    cases.push_back(
        {absl::StrCat("chunk size \"", size, "\""), Chunked(absl::StrCat(size, "\r\nabc\r\n0\r\n\r\n")), 400});
  }
  cases.push_back({"chunk longer than its size", Chunked("3\r\nabcd\r\n0\r\n\r\n"), 400});
  cases.push_back({"chunk shorter than its size", Chunked("5\r\nabc\r\n0\r\n\r\n"), 400});
  cases.push_back({"chunk ends with a bare LF", Chunked("3\r\nabc\n0\r\n\r\n"), 400});
  cases.push_back({"bare LF after a chunk's size", Chunked("3\nabc\r\n0\r\n\r\n"), 400});
  cases.push_back({"bare LF in an extension", Chunked("3;a\nb\r\nabc\r\n0\r\n\r\n"), 400});
  cases.push_back({"bare CR in an extension", Chunked("3;a\rb\r\nabc\r\n0\r\n\r\n"), 400});
  cases.push_back({"long extension", Chunked("3;" + std::string(300, 'a') + "\r\nabc\r\n0\r\n\r\n"), 400});
  for (const char* extensions : {";a", ";a=b;c", ";a=\"b\"", ";a=\"\\\"; c\"", ";a=\"\""}) {
    cases.push_back({absl::StrCat("chunk extensions ", extensions),
                     Chunked(absl::StrCat("3", extensions, "\r\nabc\r\n0\r\n\r\n")), 200, true});
  }
  for (const char* extensions :
       {";", "; a", ";a ", ";a=", ";a=\"", ";a=\"b", ";a=\"b\\\"", ";a=\"b\"c", ";a==b", ";=b", ";a;;b", ";\xff"}) {
    cases.push_back({absl::StrCat("malformed chunk extensions ", extensions),
                     Chunked(absl::StrCat("3", extensions, "\r\nabc\r\n0\r\n\r\n")), 400});
    cases.push_back({absl::StrCat("malformed extensions of the last chunk ", extensions),
                     Chunked(absl::StrCat("0", extensions, "\r\n\r\n")), 400});
  }
  cases.push_back({"chunks too large together", Chunked("ffffffff\r\n"), 413});
  cases.push_back({"length in the trailers", Chunked("0\r\nContent-Length: 3\r\n\r\n"), 400});
  cases.push_back({"Host in the trailers", Chunked("0\r\nHost: y\r\n\r\n"), 400});
  cases.push_back({"folded trailer", Chunked("0\r\nA: b\r\n c\r\n\r\n"), 400});
  cases.push_back({"large trailers", Chunked("0\r\nA: " + std::string(2000, 'a') + "\r\n\r\n"), 431});
}

}  // namespace

std::vector<FramingCase> FramingCases() {
  Cases cases;
  AddRequestLines(cases);
  AddFields(cases);
  AddLengths(cases);
  AddChunked(cases);
  return cases;
}

}  // namespace quern
