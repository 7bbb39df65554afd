#include "tests/layering.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <string_view>

#include "base/file.h"

namespace quern {
namespace {

using Names = std::set<std::string, std::less<>>;

const std::map<std::string, Names>& AllowedFolders() {
  static const auto* table = [] {
    const Names tokenizer = {"data/tokenizer", "data/chat_template"};
    auto with = [](Names names, const Names& more) {
      names.insert(more.begin(), more.end());
      return names;
    };
    const Names base = {"base"};
    const Names tensor = with(base, {"tensor"});
    const Names kernels = with(tensor, {"kernels"});
    const Names autograd = with(kernels, {"autograd"});
    const Names nn = with(autograd, {"nn"});
    const Names data = with(with(tensor, {"data"}), tokenizer);
    const Names all = with(with(nn, data), {"train", "eval", "serve", "cli", "runs"});
    return new std::map<std::string, Names>{
        {"base", base},
        {"tensor", tensor},
        {"kernels", kernels},
        {"autograd", autograd},
        {"nn", nn},
        {"data", data},
        {"data/tokenizer", with(tensor, {"data/tokenizer"})},
        {"data/chat_template", with(tensor, tokenizer)},
        {"train", with(with(nn, data), {"train"})},
        {"eval", with(with(nn, data), {"eval"})},
        {"serve", with(with(nn, tokenizer), {"serve"})},
        {"cli", all},
        {"runs", all},
        {"tests", with(all, {"tests"})},
        {"tools", with(base, {"tools"})},
    };
  }();
  return *table;
}

// Libraries by the first part of their include path; "*" is everybody, "test" whoever is only built for tests.
const std::map<std::string, Names, std::less<>>& AllowedLibraries() {
  static const auto* table = new std::map<std::string, Names, std::less<>>{
      {"absl", {"*"}},
      {"gtest", {"test"}},
      {"gmock", {"test"}},
      {"benchmark", {"test"}},
      {"nlohmann", {"base"}},
      {"spdlog", {"base"}},
      {"openssl", {"base", "serve"}},
      {"google", {"nn", "data", "train", "eval", "cli"}},  // protobuf
      {"Eigen", {"test", "train", "eval"}},
      {"unicode", {"data", "eval"}},  // ICU
      {"re2", {"data", "eval"}},
      {"boost", {"serve"}},
      {"prometheus", {"serve"}},
      {"CLI", {"cli"}},
  };
  return *table;
}

constexpr const char* kPlainSystemHeaders[] = {"<cstdint>", "<cstddef>", "<immintrin.h>"};

std::string FirstPart(std::string_view path) { return std::string(path.substr(0, path.find('/'))); }

// The folder of the table that a path belongs to: the two-part name where there is one.
std::string FolderOf(std::string_view path) {
  size_t slash = path.find('/');
  if (slash == std::string_view::npos) return "";
  size_t second = path.find('/', slash + 1);
  if (second != std::string_view::npos) {
    std::string two(path.substr(0, second));
    if (AllowedFolders().count(two) > 0) return two;
  }
  return std::string(path.substr(0, slash));
}

// Test code: built for tests and benchmarks only.
bool IsTestCode(std::string_view path) {
  const std::string name = Basename(path);
  return FirstPart(path) == "tests" || name.find("_test.") != std::string::npos ||
         name.find("benchmark") != std::string::npos || name.find("testing") != std::string::npos ||
         name.find("_fuzz") != std::string::npos || name.find("grad_check") != std::string::npos;
}

struct Include {
  bool quoted = false;
  std::string path;
  std::string written() const { return quoted ? "\"" + path + "\"" : "<" + path + ">"; }
};

std::vector<Include> IncludesOf(std::string_view text) {
  std::vector<Include> includes;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    auto skip_spaces = [&] { line.remove_prefix(std::min(line.size(), line.find_first_not_of(" \t"))); };
    skip_spaces();
    if (line.empty() || line[0] != '#') continue;
    line.remove_prefix(1);
    skip_spaces();
    constexpr std::string_view kWord = "include";
    if (line.substr(0, kWord.size()) != kWord) continue;
    line.remove_prefix(kWord.size());
    skip_spaces();
    if (line.empty() || (line[0] != '"' && line[0] != '<')) continue;
    size_t end = line.find(line[0] == '"' ? '"' : '>', 1);
    if (end != std::string_view::npos) includes.push_back({line[0] == '"', std::string(line.substr(1, end - 1))});
  }
  return includes;
}

class Checker {
 public:
  explicit Checker(const std::vector<SourceFile>& files) {
    for (const SourceFile& file : files) includes_[file.path] = IncludesOf(file.text);
  }

  std::vector<LayeringViolation> Check() && {
    for (const auto& item : includes_) {
      CheckFile(item.first, item.second);
      if (item.first.ends_with("_cpu.cc") && FolderOf(item.first) == "kernels") CheckIsaUnit(item.first);
      if (item.first.ends_with(".cu")) CheckCudaUnit(item.first);
    }
    return std::move(violations_);
  }

 private:
  void Refuse(const std::string& path, const std::string& include, const std::string& rule) {
    violations_.push_back({path, include, rule});
  }

  void CheckFile(const std::string& path, const std::vector<Include>& includes) {
    const std::string folder = FolderOf(path);
    auto allowed = AllowedFolders().find(folder);
    if (allowed == AllowedFolders().end()) return Refuse(path, "", "no such folder in the table of tests/layering.cc");
    for (const Include& include : includes) {
      const std::string root = FirstPart(include.path);
      if (AllowedFolders().count(root) > 0 && include.path.find('/') != std::string::npos) {
        const std::string target = FolderOf(include.path);
        if (allowed->second.count(target) == 0) Refuse(path, include.written(), folder + " does not see " + target);
        if (!include.quoted) Refuse(path, include.written(), "our own headers are included with quotes");
      } else if (auto library = AllowedLibraries().find(root); library != AllowedLibraries().end()) {
        CheckLibrary(path, include, library->second);
      } else if (include.quoted) {
        Refuse(path, include.written(), "quoted includes are paths from the root, or of a library in the table");
      }
    }
  }

  void CheckLibrary(const std::string& path, const Include& include, const Names& owners) {
    const std::string library = FirstPart(include.path);
    const bool allowed = owners.count("*") > 0 || owners.count(FirstPart(path)) > 0 || FirstPart(path) == "tests" ||
                         (owners.count("test") > 0 && IsTestCode(path));
    if (!allowed) Refuse(path, include.written(), "this folder does not use " + library);
    // Five seconds of compile time for each file that does.
    if (library == "CLI" && ++cli11_files_ > 1) Refuse(path, include.written(), "CLI11 is included by one file");
  }

  // What `path` includes, directly or not, as far as the files are known, each with the file that says so.
  std::vector<std::pair<std::string, Include>> Closure(const std::string& path) const {
    std::vector<std::pair<std::string, Include>> closure;
    Names seen = {path};
    std::vector<std::string> pending = {path};
    while (!pending.empty()) {
      const std::string at = pending.back();
      pending.pop_back();
      auto known = includes_.find(at);
      if (known == includes_.end()) continue;
      for (const Include& include : known->second) {
        closure.emplace_back(at, include);
        if (include.quoted && seen.insert(include.path).second) pending.push_back(include.path);
      }
    }
    return closure;
  }

  void CheckIsaUnit(const std::string& path) {
    for (const auto& [from, include] : Closure(path)) {
      const bool plain = std::find(std::begin(kPlainSystemHeaders), std::end(kPlainSystemHeaders), include.written()) !=
                         std::end(kPlainSystemHeaders);
      // A benchmark's opponent is no part of the program, and gives Eigen a namespace for each set.
      if (IsTestCode(path) && FirstPart(include.path) == "eigen3") continue;
      if (include.quoted ? FolderOf(include.path) != "kernels" : !plain) {
        Refuse(path, include.written(),
               "a unit compiled per instruction set sees kernels/ and <cstdint> only; through " + from);
      }
    }
  }

  void CheckCudaUnit(const std::string& path) {
    for (const auto& [from, include] : Closure(path)) {
      if (AllowedLibraries().count(FirstPart(include.path)) > 0) {
        Refuse(path, include.written(), "a .cu file sees no library but CUDA's; through " + from);
      }
    }
  }

  std::map<std::string, std::vector<Include>> includes_;
  std::vector<LayeringViolation> violations_;
  int cli11_files_ = 0;
};

}  // namespace

std::vector<LayeringViolation> CheckLayering(const std::vector<SourceFile>& files) { return Checker(files).Check(); }

std::vector<SourceFile> ReadSources(const std::string& root) {
  namespace fs = std::filesystem;
  std::vector<SourceFile> files;
  for (fs::recursive_directory_iterator it(root), end; it != end; ++it) {
    const std::string name = it->path().filename().string();
    if (it->is_symlink()) continue;  // bazel-bin and its kin
    if (it->is_directory()) {
      const bool wrappers = it.depth() == 0 && name == "third_party";
      if (name[0] == '.' || wrappers) it.disable_recursion_pending();
      continue;
    }
    for (const char* ending : {".h", ".hpp", ".cuh", ".cc", ".cpp", ".c", ".cu"}) {
      if (!name.ends_with(ending)) continue;
      absl::StatusOr<std::string> text = ReadFile(it->path().string());
      if (text.ok()) files.push_back({it->path().lexically_relative(root).string(), *std::move(text)});
      break;
    }
  }
  std::sort(files.begin(), files.end(), [](const SourceFile& a, const SourceFile& b) { return a.path < b.path; });
  return files;
}

std::string SourceRoot(const std::string& path) {
  std::string real = std::filesystem::canonical(path).string();
  return real.substr(0, real.size() - std::min(real.size(), path.size() + 1));
}

}  // namespace quern
