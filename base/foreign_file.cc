#include "base/foreign_file.h"

#include <cstddef>

#include "base/file.h"

namespace quern {
namespace {

using std::string_view_literals::operator""sv;

constexpr size_t kBeginning = 4096;

constexpr std::string_view kPickles =
    "Pickles can run code and are never read. Save the weights as model.safetensors (safetensors.torch.save_file, or "
    "save_pretrained of transformers) beside their config.json.";
constexpr std::string_view kGguf =
    "GGUF is not read yet. Supported are model folders in Hugging Face layout (config.json, model.safetensors, "
    "tokenizer.json).";

struct Magic {
  std::string_view bytes;   // at the start
  std::string_view within;  // somewhere in the beginning
  ForeignFile file;
};

constexpr Magic kMagics[] = {
    {"GGUF"sv, ""sv, {"a GGUF file", kGguf}},
    {"FUGG"sv, ""sv, {"a GGUF file with its magic number reversed (before version 1, or big-endian)", kGguf}},
    {"lmgg"sv, ""sv, {"a GGML file, older than GGUF", kGguf}},
    {"tjgg"sv, ""sv, {"a GGML file, older than GGUF", kGguf}},
    {"PK\3\4"sv, "data.pkl"sv, {"a PyTorch checkpoint, which holds pickles", kPickles}},
    {"PK\3\4"sv, ""sv, {"a zip archive", "Unpack it first."}},
    // With a third byte: two are also how a safetensors file may begin.
    {"\x80\2\x8a\n"sv, ""sv, {"an old PyTorch checkpoint, which holds pickles", kPickles}},
    {"\x80\2}"sv, ""sv, {"a Python pickle", kPickles}},
    {"\x80\2c"sv, ""sv, {"a Python pickle", kPickles}},
    {"\x80\3}"sv, ""sv, {"a Python pickle", kPickles}},
    {"\x80\4\x95"sv, ""sv, {"a Python pickle", kPickles}},
    {"\x80\5\x95"sv, ""sv, {"a Python pickle", kPickles}},
    {"\x89HDF\r\n\x1a\n"sv, ""sv, {"an HDF5 file", "Save the weights as model.safetensors."}},
    {"\x1f\x8b\b"sv, ""sv, {"a gzip file", "Unpack it first: gunzip."}},
    {"\x28\xb5\x2f\xfd"sv, ""sv, {"a zstd file", "Unpack it first: unzstd."}},
    {"<!DOCTYPE html"sv, ""sv, {"a web page", "Was the download refused? Download the file itself."}},
    {"version https://git-lfs"sv, ""sv, {"a pointer of Git LFS", "Fetch the file itself: git lfs pull."}},
};

}  // namespace

const ForeignFile* FindForeignFile(std::string_view beginning) {
  beginning = beginning.substr(0, kBeginning);
  for (const Magic& magic : kMagics) {
    if (beginning.substr(0, magic.bytes.size()) == magic.bytes &&
        beginning.find(magic.within) != std::string_view::npos) {
      return &magic.file;
    }
  }
  return nullptr;
}

const ForeignFile* FindForeignFileAt(const std::string& path) {
  auto file = MappedFile::Open(path);
  return file.ok() ? FindForeignFile((*file)->bytes()) : nullptr;
}

}  // namespace quern
