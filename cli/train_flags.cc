#include "cli/train_flags.h"

#include <algorithm>
#include <functional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "cli/config_text.h"
#include "cli/exit_status.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor.pb.h"

namespace quern::cli {
namespace {

namespace pb = google::protobuf;
using Field = pb::FieldDescriptor;

constexpr unsigned char kSchema[] = {
#include "cli/train_config_schema.inc"
};

// The schema with its comments, which generated code lacks.
const pb::Descriptor* CommentedSchema() {
  static const pb::Descriptor* schema = [] {
    pb::FileDescriptorSet files;
    CHECK(files.ParseFromArray(kSchema, sizeof(kSchema))) << "the schema in this binary";
    auto* pool = new pb::DescriptorPool;
    for (const pb::FileDescriptorProto& file : files.file()) CHECK(pool->BuildFile(file) != nullptr) << file.name();
    return pool->FindMessageTypeByName("quern.TrainConfig");
  }();
  return schema;
}

std::string OneLine(const std::string& comment) {
  std::string line(absl::StripAsciiWhitespace(comment));
  absl::StrReplaceAll({{"\n ", " "}, {"\n", " "}}, &line);
  if (!line.empty() && line.back() == '.') line.pop_back();
  return line;
}

struct Documented {
  std::string group, help;
};

// "---- Batch. A step reads ..." above a field begins a group.
Documented Document(const Field* field, const std::string& group_so_far) {
  constexpr std::string_view kRule = "---- ";
  Documented documented{group_so_far, ""};
  pb::SourceLocation location;
  if (!field->GetSourceLocation(&location)) return documented;
  std::string leading(absl::StripAsciiWhitespace(location.leading_comments));
  if (leading.substr(0, kRule.size()) == kRule) {
    const size_t line_end = std::min(leading.find('\n'), leading.size());
    const std::string heading = leading.substr(kRule.size(), line_end - kRule.size());
    documented.group = heading.substr(0, std::min(heading.find_first_of(".("), heading.size()));
    documented.group = std::string(absl::StripAsciiWhitespace(documented.group));
    leading = leading.substr(line_end);
  }
  documented.help = OneLine(location.trailing_comments.empty() ? leading : location.trailing_comments);
  return documented;
}

std::string Hint(const Field* field) {
  const std::string& name = field->name();
  if (field->cpp_type() == Field::CPPTYPE_BOOL) return "";
  if (field->cpp_type() == Field::CPPTYPE_DOUBLE) return "X";
  if (field->cpp_type() != Field::CPPTYPE_STRING) return "N";
  if (name.ends_with("_file")) return "F";
  if (name.ends_with("_dir")) return "D";
  if (name == "model_name") return "BASE";
  if (name == "tokenizer") return "P|char|byte";
  if (name == "report_to") return "none|tensorboard";
  if (name == "resume_from_checkpoint") return "auto|P";
  return "NAME";
}

std::string DefaultText(const Field* field) {
  if (!field->has_default_value() || field->cpp_type() == Field::CPPTYPE_BOOL) return "";
  return ScalarText(TrainConfig::default_instance(), field);
}

// Every scalar field that is set, at any depth.
void ForEachLeaf(const pb::Message& message, const std::string& prefix,
                 const std::function<void(const std::string& path, const std::string& value)>& visit) {
  std::vector<const Field*> present;
  message.GetReflection()->ListFields(message, &present);
  for (const Field* field : present) {
    if (field->is_repeated()) continue;
    if (field->cpp_type() == Field::CPPTYPE_MESSAGE) {
      ForEachLeaf(message.GetReflection()->GetMessage(message, field), prefix + field->name() + ".", visit);
    } else {
      visit(prefix + field->name(), ScalarText(message, field));
    }
  }
}

}  // namespace

void TrainFlags::Declare(Flags& flags) {
  const pb::Descriptor* type = TrainConfig::descriptor();
  std::string group;
  for (int i = 0; i < type->field_count(); ++i) {
    const Field* field = type->field(i);
    const Field* commented = CommentedSchema()->FindFieldByName(field->name());
    const Documented documented = Document(commented, group);
    group = documented.group;
    if (field->cpp_type() == Field::CPPTYPE_MESSAGE || field->name() == "seed") continue;
    const Flag::Setter keep = [this, field](const std::string& value) {
      TrainConfig scratch;
      const absl::Status fits = SetScalar(&scratch, field, value);
      given_.emplace_back(field->name(), value);
      // "FIELD takes a number; got ...": the flag's own message says the rest.
      return fits.ok() ? fits
                       : absl::InvalidArgumentError(fits.message().substr(
                             field->name().size() + 1, fits.message().find(';') - field->name().size() - 1));
    };
    flags.Add(field->name(), keep, Hint(field), documented.help).Default(DefaultText(field)).Group(group);
  }
}

absl::Status TrainFlags::Resolve(const GlobalFlags& global, const Flags& flags) {
  if (!global.config.empty()) RETURN_IF_ERROR(ReadConfigText(global.config, &config_));
  RecordOrigins(Origin::kConfigFile);
  for (const std::string& assignment : global.sets) {
    RETURN_IF_ERROR(AsUsageError(SetField(&config_, assignment)));
    const std::string path = assignment.substr(0, assignment.find('='));
    origins_.erase(path);
  }
  RecordOrigins(Origin::kSet);
  std::vector<std::pair<std::string, std::string>> given = given_;
  if (flags.Given("seed")) given.emplace_back("seed", absl::StrCat(global.seed));
  for (const auto& [name, value] : given) {
    RETURN_IF_ERROR(AsUsageError(SetScalar(&config_, TrainConfig::descriptor()->FindFieldByName(name), value)));
    origins_.erase(name);
  }
  RecordOrigins(Origin::kFlag);
  return absl::OkStatus();
}

void TrainFlags::RecordOrigins(Origin origin) {
  ForEachLeaf(config_, "", [&](const std::string& path, const std::string& value) {
    origins_.emplace(path, std::make_pair(value, origin));
  });
}

std::string TrainFlags::DescribeOrigins() const {
  size_t path_width = 0, value_width = 0;
  for (const auto& [path, entry] : origins_) {
    path_width = std::max(path_width, path.size());
    value_width = std::max(value_width, std::min<size_t>(entry.first.size(), 40));
  }
  std::string out;
  // In the schema's order.
  ForEachLeaf(config_, "", [&](const std::string& path, const std::string& value) {
    const Origin origin = origins_.at(path).second;
    std::string row = absl::StrCat("  ", path, std::string(path_width - path.size() + 2, ' '), value);
    row.append(value.size() < value_width ? value_width - value.size() : 0, ' ');
    absl::StrAppend(&out, row, "  ", std::string(Name(origin)), "\n");
  });
  return out;
}

}  // namespace quern::cli
