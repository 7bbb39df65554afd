#include "serve/http/request_reader.h"

#include <utility>

#include "boost/asio/buffer.hpp"
#include "boost/beast/http/parser.hpp"
#include "boost/beast/http/string_body.hpp"

namespace quern {

namespace http = boost::beast::http;

struct RequestReader::Parser : http::request_parser<http::string_body> {};

RequestReader::RequestReader(const FramingLimits& limits) : limits_(limits), framing_(limits) {}
RequestReader::~RequestReader() = default;
RequestReader::RequestReader(RequestReader&&) noexcept = default;
RequestReader& RequestReader::operator=(RequestReader&&) noexcept = default;

size_t RequestReader::Consume(std::string_view bytes) {
  if (disagrees_) return 0;
  const RequestFraming::State before = framing_.state();
  const size_t used = framing_.Consume(bytes);
  if (framing_.state() == RequestFraming::State::kError) return used;
  const bool head_ended = before == RequestFraming::State::kHead && framing_.state() != before;
  disagrees_ = !Parse(bytes.substr(0, used)) || (head_ended && !HeadAgrees());
  return used;
}

const HttpError& RequestReader::error() const {
  static const auto* disagreement = new HttpError{400, "bad_request", "The request is malformed."};
  return disagrees_ ? *disagreement : framing_.error();
}

HttpRequest RequestReader::Take() && {
  HttpRequest request;
  request.method = head().method;
  request.path = head().path;
  request.query = head().query;
  request.host = head().host;
  request.fields = std::move(fields_);
  request.body = std::move(parser_->get().body());
  return request;
}

// Hands checked bytes to Beast; false where it does not agree that they are well-formed.
bool RequestReader::Parse(std::string_view bytes) {
  unparsed_.append(bytes);
  if (framing_.state() == RequestFraming::State::kHead) return true;  // Beast wants a head in one piece
  if (parser_ == nullptr) {
    if (unparsed_.compare(0, 2, "\r\n") == 0) unparsed_.erase(0, 2);
    parser_ = std::make_unique<Parser>();
    parser_->eager(true);
    parser_->header_limit(static_cast<uint32_t>(limits_.max_head_bytes + 1024));
    parser_->body_limit(limits_.max_body_bytes);
  }
  while (!unparsed_.empty() && !parser_->is_done()) {
    boost::beast::error_code error;
    const size_t used = parser_->put(boost::asio::buffer(unparsed_), error);
    unparsed_.erase(0, used);
    if (error == http::error::need_more) break;
    if (error) return false;
  }
  if (framing_.state() != RequestFraming::State::kDone) return !parser_->is_done();
  return parser_->is_done() && unparsed_.empty();
}

bool RequestReader::HeadAgrees() {
  if (!parser_->is_header_done()) return false;
  const auto& message = parser_->get();
  for (const auto& field : message) {
    fields_.emplace_back(std::string(field.name_string()), std::string(field.value()));
  }
  const auto length = parser_->content_length();
  return std::string_view(message.method_string().data(), message.method_string().size()) == head().method &&
         parser_->chunked() == head().chunked && length.has_value() == head().content_length.has_value() &&
         (!length || *length == *head().content_length);
}

}  // namespace quern
