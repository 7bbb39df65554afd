#include "train/schedule.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/suggest.h"

namespace quern {

absl::StatusOr<ScheduleKind> ParseScheduleKind(std::string_view name) {
  if (name == "cosine") return ScheduleKind::kCosine;
  if (name == "linear") return ScheduleKind::kLinear;
  if (name == "constant") return ScheduleKind::kConstant;
  return absl::InvalidArgumentError(absl::StrCat("--lr_scheduler is cosine, linear or constant; got \"",
                                                 std::string(name), "\".",
                                                 DidYouMean(name, {"cosine", "linear", "constant"})));
}

double CosPi(double x) {
  if (x > 0.5) return -CosPi(1 - x);
  constexpr double kPi = 3.14159265358979323846;
  // Taylor's series of cos(y), y in [0, pi/2]: the term after y^22 / 22! is below 1e-18.
  const double y2 = (kPi * x) * (kPi * x);
  double sum = 1;
  for (int k = 11; k > 0; --k) sum = 1 - sum * y2 / ((2.0 * k - 1) * (2.0 * k));
  return sum;
}

double Schedule::LearningRate(int64_t step) const {
  if (step <= warmup_steps) return peak * static_cast<double>(step) / static_cast<double>(warmup_steps + 1);
  if (kind == ScheduleKind::kConstant) return peak;
  const int64_t falling = total_steps - warmup_steps - 1;
  if (falling <= 0) return peak;
  const double done = std::min(1.0, static_cast<double>(step - warmup_steps - 1) / static_cast<double>(falling));
  const double height = kind == ScheduleKind::kCosine ? 0.5 * (1 + CosPi(done)) : 1 - done;
  return least + height * (peak - least);
}

}  // namespace quern
