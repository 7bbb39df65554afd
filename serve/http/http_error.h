// A request that is refused: what goes into the answer, and what the metrics count.
#ifndef QUERN_SERVE_HTTP_HTTP_ERROR_H_
#define QUERN_SERVE_HTTP_HTTP_ERROR_H_

#include <string>

namespace quern {

struct HttpError {
  int status = 400;
  std::string code;     // stable, for programs: "bad_header", "queue_full"
  std::string message;  // for people: what was wrong and what to do
  std::string field;    // of the JSON body, where one is to blame
  int retry_after = 0;  // seconds; 0: no Retry-After
};

}  // namespace quern

#endif  // QUERN_SERVE_HTTP_HTTP_ERROR_H_
