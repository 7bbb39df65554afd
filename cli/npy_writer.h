// f32 matrices as NumPy's .npy files (format 1.0), written row by row.
#ifndef QUERN_CLI_NPY_WRITER_H_
#define QUERN_CLI_NPY_WRITER_H_

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/file.h"

namespace quern::cli {

class NpyWriter {
 public:
  // [rows, columns].
  static absl::StatusOr<NpyWriter> Create(const std::string& path, int64_t rows, int64_t columns);

  // `values` are whole rows from `first_row` on, in any order over the calls; those that come early wait in memory.
  absl::Status Put(int64_t first_row, std::span<const float> values);
  // All rows must be there.
  absl::Status Commit();

 private:
  NpyWriter(AtomicFile file, int64_t rows, int64_t columns) : file_(std::move(file)), rows_(rows), columns_(columns) {}

  AtomicFile file_;
  int64_t rows_, columns_, next_row_ = 0;
  std::map<int64_t, std::vector<float>> early_;
};

}  // namespace quern::cli

#endif  // QUERN_CLI_NPY_WRITER_H_
