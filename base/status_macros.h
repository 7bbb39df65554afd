// Propagation of absl::Status, in the names that later Abseil releases use, so that these macros can go.
#ifndef QUERN_BASE_STATUS_MACROS_H_
#define QUERN_BASE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Returns from the enclosing function when `expr` is not OK.
#define RETURN_IF_ERROR(expr)                    \
  do {                                           \
    absl::Status quern_status = (expr);          \
    if (!quern_status.ok()) return quern_status; \
  } while (0)

// ASSIGN_OR_RETURN(auto file, MappedFile::Open(path));
#define ASSIGN_OR_RETURN(lhs, expr) QUERN_ASSIGN_OR_RETURN_(QUERN_CONCAT_(quern_or_, __LINE__), lhs, expr)

#define QUERN_CONCAT_(a, b) QUERN_CONCAT_INNER_(a, b)
#define QUERN_CONCAT_INNER_(a, b) a##b
#define QUERN_ASSIGN_OR_RETURN_(result, lhs, expr) \
  auto result = (expr);                            \
  if (!result.ok()) return result.status();        \
  lhs = std::move(result).value()

#endif  // QUERN_BASE_STATUS_MACROS_H_
