// RequestReader: the bytes of a connection in, one request out.
//
// Every byte passes through RequestFraming, which refuses whatever is ambiguous, and then through Boost.Beast's parser;
// where the two disagree the request is refused too (400, "bad_request").
//
// A byte machine, as RequestFraming is: no I/O, and how the bytes are cut into pieces makes no difference.
#ifndef QUERN_SERVE_HTTP_REQUEST_READER_H_
#define QUERN_SERVE_HTTP_REQUEST_READER_H_

#include <memory>
#include <string>
#include <string_view>

#include "serve/http/message.h"
#include "serve/http/request_framing.h"

namespace quern {

class RequestReader {
 public:
  explicit RequestReader(const FramingLimits& limits);
  ~RequestReader();
  RequestReader(RequestReader&&) noexcept;
  RequestReader& operator=(RequestReader&&) noexcept;

  // As RequestFraming::Consume: stops at the end of the head (call again for the body), at the end of the request, and
  // at an error.
  size_t Consume(std::string_view bytes);

  RequestFraming::State state() const { return disagrees_ ? RequestFraming::State::kError : framing_.state(); }
  // Whether any byte of a request has arrived.
  bool started() const { return framing_.started(); }
  // From the end of the head on.
  const RequestHead& head() const { return framing_.head(); }
  // In kError.
  const HttpError& error() const;
  // In kDone: the request, without its id.
  HttpRequest Take() &&;

 private:
  struct Parser;

  bool Parse(std::string_view bytes);
  bool HeadAgrees();

  FramingLimits limits_;
  RequestFraming framing_;
  std::unique_ptr<Parser> parser_;  // from the end of the head on: idle connections go without
  std::string unparsed_;            // checked by framing_, not yet taken by parser_
  HttpFields fields_;
  bool disagrees_ = false;
};

}  // namespace quern

#endif  // QUERN_SERVE_HTTP_REQUEST_READER_H_
