#include "serve/http/request_framing.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "serve/http/syntax.h"

namespace quern {
namespace {

constexpr std::array<std::string_view, 8> kMethods = {"GET",    "HEAD",  "POST",    "PUT",
                                                      "DELETE", "PATCH", "OPTIONS", "TRACE"};

// What may not come after the body: it would change how what came before it was read.
constexpr std::array<std::string_view, 13> kNotInTrailers = {
    "authorization", "cache-control", "connection", "content-encoding", "content-length", "content-type",     "cookie",
    "expect",        "host",          "origin",     "proxy-connection", "trailer",        "transfer-encoding"};

template <size_t N>
bool Contains(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool IsControl(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; }

}  // namespace

void RequestFraming::Refuse(int status, std::string code, std::string message) {
  if (state_ == State::kError) return;
  state_ = State::kError;
  error_.status = status;
  error_.code = std::move(code);
  error_.message = std::move(message);
}

size_t RequestFraming::Consume(std::string_view bytes) {
  const State before = state_;
  size_t used = 0;
  while (used < bytes.size() && state_ == before && (before == State::kHead || before == State::kBody)) {
    if (part_ == Part::kLengthBody || part_ == Part::kChunkData) {
      used += SkipBody(bytes.substr(used));
    } else {
      TakeByte(bytes[used++]);
    }
  }
  return used;
}

size_t RequestFraming::SkipBody(std::string_view bytes) {
  size_t count = static_cast<size_t>(std::min<uint64_t>(left_, bytes.size()));
  left_ -= count;
  if (left_ > 0) return count;
  if (part_ == Part::kLengthBody) {
    state_ = State::kDone;
  } else {
    part_ = Part::kChunkEnd;
  }
  return count;
}

void RequestFraming::TakeByte(char c) {
  if (state_ == State::kHead && ++head_bytes_ > limits_.max_head_bytes) {
    return Refuse(431, "head_too_large",
                  absl::StrCat("The request's head exceeds ", limits_.max_head_bytes, " bytes."));
  }
  if (part_ == Part::kTrailers && ++trailer_bytes_ > limits_.max_trailer_bytes) {
    return Refuse(431, "trailers_too_large", absl::StrCat("Trailers exceed ", limits_.max_trailer_bytes, " bytes."));
  }
  TakeLineByte(c);
}

size_t RequestFraming::LineLimit() const {
  switch (part_) {
    case Part::kRequestLine:
      return limits_.max_request_line;
    case Part::kChunkLine:
      return limits_.max_chunk_line;
    case Part::kChunkEnd:
      return 0;
    default:
      return limits_.max_head_bytes;
  }
}

void RequestFraming::TakeLineByte(char c) {
  if (after_cr_) {
    after_cr_ = false;
    if (c != '\n') return Refuse(400, "bare_cr", "A carriage return must be followed by a line feed.");
    return EndLine();
  }
  if (c == '\r') {
    after_cr_ = true;
    return;
  }
  if (c == '\n') return Refuse(400, "bare_lf", "Lines must end with CR LF; a bare LF was found.");
  if (IsControl(c)) return Refuse(400, "control_character", "Control characters are not allowed in a request's head.");
  if (line_.size() < LineLimit()) {
    line_.push_back(c);
    return;
  }
  if (part_ == Part::kRequestLine) {
    Refuse(414, "request_line_too_long", absl::StrCat("The request line exceeds ", LineLimit(), " bytes."));
  } else if (part_ == Part::kChunkLine) {
    Refuse(400, "chunk_line_too_long", absl::StrCat("A chunk's size and extensions exceed ", LineLimit(), " bytes."));
  } else {
    Refuse(400, "chunk_mismatch", "A chunk is longer than its size says.");
  }
}

void RequestFraming::EndLine() {
  switch (part_) {
    case Part::kRequestLine:
      // RFC 9112, section 2.2: an empty line before the request is forgiven; one is.
      if (line_.empty() && !skipped_empty_line_) {
        skipped_empty_line_ = true;
        head_bytes_ = 0;
        return;
      }
      CheckRequestLine();
      part_ = Part::kFields;
      break;
    case Part::kFields:
      if (line_.empty()) return EndHead();
      CheckField(/*trailer=*/false);
      break;
    case Part::kChunkLine:
      CheckChunkLine();
      break;
    case Part::kChunkEnd:
      part_ = Part::kChunkLine;
      break;
    case Part::kTrailers:
      if (line_.empty()) {
        if (state_ != State::kError) state_ = State::kDone;
        return;
      }
      CheckField(/*trailer=*/true);
      break;
    case Part::kLengthBody:
    case Part::kChunkData:
      break;
  }
  line_.clear();
}

void RequestFraming::CheckRequestLine() {
  std::string_view line = line_;
  size_t first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) {
    return Refuse(400, "bad_request_line", "A request line is METHOD, target and version, with one space between.");
  }
  std::string_view method = line.substr(0, first), target = line.substr(first + 1, last - first - 1);
  std::string_view version = line.substr(last + 1);
  bool versioned = version.size() == 8 && version.substr(0, 5) == "HTTP/" && version[6] == '.' && version[5] >= '0' &&
                   version[5] <= '9' && version[7] >= '0' && version[7] <= '9';
  if (!versioned || !IsToken(method)) {
    return Refuse(400, "bad_request_line", "A request line is METHOD, target and version, with one space between.");
  }
  if (version != "HTTP/1.1") return Refuse(505, "http_version", "This server speaks HTTP/1.1.");
  if (!Contains(kMethods, method)) return Refuse(501, "unknown_method", "This method is not implemented.");
  head_.method = std::string(method);
  CheckTarget(target);
}

void RequestFraming::CheckTarget(std::string_view target) {
  constexpr std::string_view kScheme = "http://";
  if (EqualIgnoringCase(target.substr(0, kScheme.size()), kScheme)) {
    target.remove_prefix(kScheme.size());
    size_t end = target.find_first_of("/?");
    absolute_authority_ = std::string(target.substr(0, end));
    if (!IsAuthority(absolute_authority_)) {
      return Refuse(400, "bad_target", "The authority of the request's target is malformed.");
    }
    target = end == std::string_view::npos ? "" : target.substr(end);
    if (target.empty()) target = "/";
  }
  if (!IsOriginForm(target)) {
    return Refuse(400, "bad_target",
                  "The target must be a path that begins with \"/\", percent-encoded as RFC 3986 says.");
  }
  size_t question = target.find('?');
  head_.path = std::string(target.substr(0, question));
  if (question != std::string_view::npos) head_.query = std::string(target.substr(question + 1));
}

void RequestFraming::CheckField(bool trailer) {
  if (++fields_ > limits_.max_fields) {
    return Refuse(431, "too_many_fields", absl::StrCat("More than ", limits_.max_fields, " header fields."));
  }
  std::string_view line = line_;
  if (line[0] == ' ' || line[0] == '\t') {
    return Refuse(400, "obs_fold", "A header field may not be continued on a second line.");
  }
  size_t colon = line.find(':');
  if (colon == std::string_view::npos || !IsToken(line.substr(0, colon))) {
    return Refuse(400, "bad_header", "A header field is a name, a colon with nothing before it, and a value.");
  }
  std::string name = AsciiLower(line.substr(0, colon));
  if (!trailer) return CheckFramingField(name, TrimBlanks(line.substr(colon + 1)));
  if (Contains(kNotInTrailers, name)) {
    Refuse(400, "bad_trailer", absl::StrCat("The field ", name, " may not stand in the trailers."));
  }
}

void RequestFraming::CheckFramingField(const std::string& name, std::string_view value) {
  if (name == "host") {
    if (has_host_) return Refuse(400, "bad_host", "There is more than one Host field.");
    if (!IsAuthority(value)) return Refuse(400, "bad_host", "The Host field must be a name or address and a port.");
    has_host_ = true;
    head_.host = std::string(value);
  } else if (name == "content-length") {
    if (head_.content_length.has_value()) {
      return Refuse(400, "bad_content_length", "There is more than one Content-Length field.");
    }
    head_.content_length = ParseContentLength(value);
    if (!head_.content_length) Refuse(400, "bad_content_length", "Content-Length must be one decimal number.");
  } else if (name == "transfer-encoding") {
    CheckTransferEncoding(value);
  } else if (name == "connection" || name == "proxy-connection") {
    for (std::string_view part : SplitList(value)) {
      if (!part.empty() && !IsToken(part)) return Refuse(400, "bad_connection", "Connection must be a list of names.");
      if (EqualIgnoringCase(part, "close")) head_.keep_alive = false;
    }
  } else if (name == "expect") {
    head_.expects_continue = EqualIgnoringCase(value, "100-continue");
    if (!head_.expects_continue) Refuse(417, "expectation", "The only expectation understood is 100-continue.");
  }
}

void RequestFraming::CheckTransferEncoding(std::string_view value) {
  if (has_transfer_encoding_) {
    return Refuse(400, "bad_transfer_encoding", "There is more than one Transfer-Encoding field.");
  }
  has_transfer_encoding_ = true;
  std::vector<std::string_view> codings = SplitList(value);
  int chunked = 0;
  for (std::string_view coding : codings) {
    if (!IsToken(coding)) return Refuse(400, "bad_transfer_encoding", "Transfer-Encoding is malformed.");
    chunked += EqualIgnoringCase(coding, "chunked") ? 1 : 0;
  }
  if (chunked != 1 || !EqualIgnoringCase(codings.back(), "chunked")) {
    return Refuse(400, "bad_transfer_encoding", "The last transfer coding must be chunked, once.");
  }
  if (codings.size() > 1) {
    return Refuse(501, "transfer_coding", "No transfer coding but chunked is implemented.");
  }
  head_.chunked = true;
}

void RequestFraming::EndHead() {
  line_.clear();
  if (state_ == State::kError) return;
  if (!has_host_) return Refuse(400, "bad_host", "HTTP/1.1 requires a Host field.");
  if (!absolute_authority_.empty() && !EqualIgnoringCase(absolute_authority_, head_.host)) {
    return Refuse(400, "bad_target", "The target's authority differs from the Host field.");
  }
  if (head_.chunked && head_.content_length.has_value()) {
    return Refuse(400, "ambiguous_length", "Content-Length and Transfer-Encoding exclude each other.");
  }
  uint64_t length = head_.content_length.value_or(0);
  if (length > limits_.max_body_bytes) {
    return Refuse(413, "body_too_large", absl::StrCat("The body is larger than ", limits_.max_body_bytes, " bytes."));
  }
  left_ = length;
  part_ = head_.chunked ? Part::kChunkLine : Part::kLengthBody;
  state_ = head_.chunked || length > 0 ? State::kBody : State::kDone;
}

void RequestFraming::CheckChunkLine() {
  std::string_view line = line_;
  const size_t size_end = std::min(line.find(';'), line.size());
  std::optional<uint64_t> size = ParseChunkSize(line.substr(0, size_end));
  if (!size) return Refuse(400, "bad_chunk_size", "A chunk's size is one to eight hexadecimal digits.");
  if (!IsChunkExtensions(line.substr(size_end))) {
    return Refuse(400, "bad_chunk_extension", "A chunk's extensions are malformed.");
  }
  if (++chunks_ > limits_.max_chunks) {
    return Refuse(400, "too_many_chunks", absl::StrCat("More than ", limits_.max_chunks, " chunks."));
  }
  if (*size == 0) {
    part_ = Part::kTrailers;
    return;
  }
  body_bytes_ += *size;
  if (body_bytes_ > limits_.max_body_bytes) {
    return Refuse(413, "body_too_large", absl::StrCat("The body is larger than ", limits_.max_body_bytes, " bytes."));
  }
  left_ = *size;
  part_ = Part::kChunkData;
}

}  // namespace quern
