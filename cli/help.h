// What --help prints.
#ifndef QUERN_CLI_HELP_H_
#define QUERN_CLI_HELP_H_

#include <string>
#include <string_view>

#include "cli/command.h"

namespace quern::cli {

// `flags` as declared by the verb, the global ones included.
std::string VerbHelp(const Verb& verb, const Flags& flags);
// The table of verbs, with the arc from a text to a served model.
std::string Overview();
// The verbs of a group: "tokenizer".
std::string GroupHelp(std::string_view group);

}  // namespace quern::cli

#endif  // QUERN_CLI_HELP_H_
