// Files of other programs, known by their first bytes, so that they are refused by their names.
#ifndef QUERN_BASE_FOREIGN_FILE_H_
#define QUERN_BASE_FOREIGN_FILE_H_

#include <string>
#include <string_view>

namespace quern {

struct ForeignFile {
  std::string_view name;  // "a GGUF file"
  std::string_view mend;  // what to do about it, as sentences
};

// What `beginning`, the first 4 KiB of a file, is the beginning of; null for anything that is not in the table.
const ForeignFile* FindForeignFile(std::string_view beginning);

// The same of the file at `path`; null also where it cannot be read.
const ForeignFile* FindForeignFileAt(const std::string& path);

}  // namespace quern

#endif  // QUERN_BASE_FOREIGN_FILE_H_
