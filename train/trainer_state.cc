#include "train/trainer_state.h"

#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/lineage.h"
#include "base/status_macros.h"

namespace quern {
namespace {

constexpr char kKind[] = "trainer_state";

// These place every token of the run: with another value "step 500" would mean something else.
constexpr const char* kFixed[] = {"batch_size", "block_size", "gradient_accumulation_steps", "seed"};

absl::Status Differ(const std::string& checkpoint, const std::string& what) {
  return absl::InvalidArgumentError(
      absl::StrCat(checkpoint, ": ", what, "; resume with what it was trained with, or start another --output_dir"));
}

std::string ShowField(const Json& object, const std::string& name) {
  auto found = object.find(name);
  return found == object.end() ? "absent" : WriteJsonLine(*found);
}

// "n_layer is 6 there and 4 here, ...": the fields in which two objects differ, at most four of them.
std::string FieldDifferences(const Json& theirs, const Json& ours) {
  Json names = theirs;
  names.update(ours);
  std::string text;
  int count = 0;
  for (const auto& item : names.items()) {
    const std::string there = ShowField(theirs, item.key()), here = ShowField(ours, item.key());
    if (there == here || ++count > 4) continue;
    absl::StrAppend(&text, text.empty() ? "" : ", ", item.key(), " is ", there, " there and ", here, " here");
  }
  if (count > 4) absl::StrAppend(&text, " and ", count - 4, " more");
  return text;
}

absl::StatusOr<Json> ObjectField(const Json& object, const std::string& name, const std::string& path) {
  auto found = object.find(name);
  if (found != object.end() && found->is_object()) return *found;
  return absl::InvalidArgumentError(absl::StrCat(path, ": field \"", name, "\" is missing or not an object"));
}

}  // namespace

Json IdentitySettings(const TrainConfig& c) {
  return Json{{"max_steps", c.max_steps()},
              {"batch_size", c.batch_size()},
              {"block_size", c.block_size()},
              {"gradient_accumulation_steps", c.gradient_accumulation_steps()},
              {"learning_rate", c.learning_rate()},
              {"min_learning_rate", c.min_learning_rate()},
              {"lr_scheduler", c.lr_scheduler()},
              {"warmup_steps", c.warmup_steps()},
              {"weight_decay", c.weight_decay()},
              {"adam_beta1", c.adam_beta1()},
              {"adam_beta2", c.adam_beta2()},
              {"adam_epsilon", c.adam_epsilon()},
              {"max_grad_norm", c.max_grad_norm()},
              {"dropout", c.dropout()},
              {"seed", c.seed()},
              {"eval_steps", c.eval_steps()},
              {"eval_batches", c.eval_batches()}};
}

absl::StatusOr<std::vector<std::string>> CompareIdentities(const RunIdentity& ours, const RunIdentity& theirs,
                                                           const std::string& checkpoint) {
  if (ours.architecture != theirs.architecture) {
    return Differ(checkpoint, absl::StrCat("it is of another architecture: ",
                                           FieldDifferences(theirs.architecture, ours.architecture)));
  }
  if (ours.tokenizer_sha256 != theirs.tokenizer_sha256) {
    return Differ(checkpoint, absl::StrCat("it was trained with another tokenizer: sha256 ", theirs.tokenizer_sha256,
                                           " there and ", ours.tokenizer_sha256, " here"));
  }
  if (ours.train_sha256 != theirs.train_sha256) {
    return Differ(checkpoint, absl::StrCat("it was trained on another text: sha256 ", theirs.train_sha256,
                                           " there and ", ours.train_sha256, " here"));
  }
  for (const char* name : kFixed) {
    const std::string there = ShowField(theirs.settings, name), here = ShowField(ours.settings, name);
    if (there != here) return Differ(checkpoint, absl::StrCat("--", name, " is ", there, " there and ", here, " here"));
  }
  std::vector<std::string> allowed;
  for (const auto& item : ours.settings.items()) {
    const std::string there = ShowField(theirs.settings, item.key()), here = ShowField(ours.settings, item.key());
    if (there != here) allowed.push_back(absl::StrCat(item.key(), " was ", there, " and is now ", here));
  }
  if (ours.validation_sha256 != theirs.validation_sha256) allowed.push_back("the validation text is another");
  return allowed;
}

Json TrainerStateToJson(const TrainerState& state) {
  Json json = NewArtefact(kKind);
  json["step"] = state.step;
  json["loader"] = {{"seed", state.loader.seed}, {"next_sample", state.loader.next_sample}};
  json["initial_eval_loss"] = state.initial_eval_loss;
  json["best"] = {{"step", state.best_step}, {"eval_loss", state.best_eval_loss}};
  json["architecture"] = state.identity.architecture;
  json["tokenizer_sha256"] = state.identity.tokenizer_sha256;
  json["train_sha256"] = state.identity.train_sha256;
  json["validation_sha256"] = state.identity.validation_sha256;
  json["settings"] = state.identity.settings;
  return json;
}

absl::StatusOr<TrainerState> ReadTrainerState(const std::string& path) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN(), kInfinity = std::numeric_limits<double>::infinity();
  ASSIGN_OR_RETURN(Json json, ReadArtefact(path, kKind));
  TrainerState state;
  ASSIGN_OR_RETURN(state.step, JsonInt(json, "step", path, 0, int64_t{1} << 31));
  ASSIGN_OR_RETURN(Json loader, ObjectField(json, "loader", path));
  // All 64 bits of the seed matter; JsonInt knows 63 of them.
  if (auto seed = loader.find("seed"); seed != loader.end() && seed->is_number_unsigned()) {
    state.loader.seed = seed->get<uint64_t>();
  } else {
    return absl::InvalidArgumentError(absl::StrCat(path, ": field \"loader.seed\" is missing or not a count"));
  }
  ASSIGN_OR_RETURN(state.loader.next_sample, JsonInt(loader, "next_sample", path, 0, kMost));
  ASSIGN_OR_RETURN(state.initial_eval_loss, JsonNumberOr(json, "initial_eval_loss", path, kNaN));
  ASSIGN_OR_RETURN(Json best, ObjectField(json, "best", path));
  ASSIGN_OR_RETURN(state.best_step, JsonInt(best, "step", path, 0, state.step));
  ASSIGN_OR_RETURN(state.best_eval_loss, JsonNumberOr(best, "eval_loss", path, kInfinity));
  ASSIGN_OR_RETURN(state.identity.architecture, ObjectField(json, "architecture", path));
  ASSIGN_OR_RETURN(state.identity.settings, ObjectField(json, "settings", path));
  ASSIGN_OR_RETURN(state.identity.tokenizer_sha256, JsonString(json, "tokenizer_sha256", path));
  ASSIGN_OR_RETURN(state.identity.train_sha256, JsonString(json, "train_sha256", path));
  ASSIGN_OR_RETURN(state.identity.validation_sha256, JsonString(json, "validation_sha256", path));
  return state;
}

}  // namespace quern
