// The table of verbs.
#ifndef QUERN_CLI_VERBS_H_
#define QUERN_CLI_VERBS_H_

#include <span>

#include "cli/command.h"

namespace quern::cli {

// In the order of --help.
std::span<const Verb* const> Verbs();

}  // namespace quern::cli

#endif  // QUERN_CLI_VERBS_H_
