#include "cli/npy_writer.h"

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status_macros.h"

namespace quern::cli {
namespace {

std::string_view Bytes(std::span<const float> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

}  // namespace

absl::StatusOr<NpyWriter> NpyWriter::Create(const std::string& path, int64_t rows, int64_t columns) {
  ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path));
  constexpr size_t kAlignment = 64, kPreamble = 10;
  std::string header = absl::StrCat("{'descr': '<f4', 'fortran_order': False, 'shape': (", rows, ", ", columns, "), }");
  header.append(kAlignment - 1 - (kPreamble + header.size()) % kAlignment, ' ');
  header += '\n';
  const char length[2] = {static_cast<char>(header.size() & 0xFF), static_cast<char>(header.size() >> 8)};
  RETURN_IF_ERROR(file.Append(std::string("\x93NUMPY\x01\x00", 8) + std::string(length, 2) + header));
  return NpyWriter(std::move(file), rows, columns);
}

absl::Status NpyWriter::Put(int64_t first_row, std::span<const float> values) {
  if (first_row != next_row_) {
    early_[first_row].assign(values.begin(), values.end());
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(file_.Append(Bytes(values)));
  next_row_ += static_cast<int64_t>(values.size()) / columns_;
  while (!early_.empty() && early_.begin()->first == next_row_) {
    const std::vector<float> waiting = std::move(early_.begin()->second);
    early_.erase(early_.begin());
    RETURN_IF_ERROR(file_.Append(Bytes(waiting)));
    next_row_ += static_cast<int64_t>(waiting.size()) / columns_;
  }
  return absl::OkStatus();
}

absl::Status NpyWriter::Commit() {
  CHECK_EQ(next_row_, rows_) << "NpyWriter: every row is put once";
  return file_.Commit();
}

}  // namespace quern::cli
