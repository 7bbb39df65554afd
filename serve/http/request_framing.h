// RequestFraming: where a request begins and ends, decided strictly, before any other parser sees a byte.
//
// Two parsers that disagree on the end of a request are how requests are smuggled, so whatever RFC 9112 leaves to a
// reader's kindness is refused here: a Content-Length that is repeated, a list or not plain digits; Content-Length with
// Transfer-Encoding; any Transfer-Encoding but a single `chunked`; obs-fold; a bare CR or LF; NUL and other controls;
// blanks before a colon; a missing, second or malformed Host; blanks or extra parts in the request line; targets that
// are not a clean path (the absolute form is accepted where its authority is that of Host); versions other than
// HTTP/1.1; chunk sizes that are not plain hexadecimal, and malformed chunk extensions; framing or routing fields among
// the trailers. Everything has a limit. Statuses: 400, 413 (body), 414 (request line), 417 (Expect), 431 (head), 501
// (transfer coding, method), 505 (version).
//
// A byte machine: bytes in, verdict out, no I/O; how the bytes are cut into pieces makes no difference.
#ifndef QUERN_SERVE_HTTP_REQUEST_FRAMING_H_
#define QUERN_SERVE_HTTP_REQUEST_FRAMING_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "serve/http/http_error.h"

namespace quern {

struct FramingLimits {
  size_t max_request_line = 8192;
  size_t max_head_bytes = 16384;
  int max_fields = 100;
  uint64_t max_body_bytes = 1 << 20;
  size_t max_chunk_line = 256;  // size and extensions
  int64_t max_chunks = 1 << 16;
  size_t max_trailer_bytes = 1024;
};

// What the framing says of the request; the fields are for whoever parses next.
struct RequestHead {
  std::string method;
  std::string path;   // "/api/generate", as sent
  std::string query;  // without "?"
  std::string host;   // the authority of Host
  std::optional<uint64_t> content_length;
  bool chunked = false;
  bool keep_alive = true;
  bool expects_continue = false;
};

class RequestFraming {
 public:
  explicit RequestFraming(const FramingLimits& limits) : limits_(limits) {}

  enum class State { kHead, kBody, kDone, kError };

  // Takes bytes from the front and returns how many belong to this request; they are then checked. Stops at the end of
  // the head (call again for the body, once the head has been looked at), at the end of the request, and at an error.
  size_t Consume(std::string_view bytes);

  State state() const { return state_; }
  // Whether any byte of a request has arrived (a single empty line before it does not count).
  bool started() const { return head_bytes_ > 0; }
  // From the end of the head on.
  const RequestHead& head() const { return head_; }
  // In kError.
  const HttpError& error() const { return error_; }

 private:
  enum class Part { kRequestLine, kFields, kLengthBody, kChunkLine, kChunkData, kChunkEnd, kTrailers };

  void TakeByte(char c);
  void TakeLineByte(char c);
  void EndLine();
  void EndHead();
  size_t SkipBody(std::string_view bytes);
  void CheckRequestLine();
  void CheckTarget(std::string_view target);
  void CheckField(bool trailer);
  void CheckFramingField(const std::string& name, std::string_view value);
  void CheckTransferEncoding(std::string_view value);
  void CheckChunkLine();
  void Refuse(int status, std::string code, std::string message);
  size_t LineLimit() const;

  FramingLimits limits_;
  State state_ = State::kHead;
  Part part_ = Part::kRequestLine;
  RequestHead head_;
  HttpError error_;
  std::string line_;  // without its CRLF
  bool after_cr_ = false;
  bool skipped_empty_line_ = false;
  size_t head_bytes_ = 0;
  size_t trailer_bytes_ = 0;
  int fields_ = 0;
  int64_t chunks_ = 0;
  uint64_t body_bytes_ = 0;  // promised so far
  uint64_t left_ = 0;        // of the body or chunk
  std::string absolute_authority_;
  bool has_host_ = false, has_transfer_encoding_ = false;
};

}  // namespace quern

#endif  // QUERN_SERVE_HTTP_REQUEST_FRAMING_H_
