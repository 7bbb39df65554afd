// The learning rate of each step: linear warm-up, then cosine (Loshchilov and Hutter, "SGDR", 2017), linear or
// constant.
#ifndef QUERN_TRAIN_SCHEDULE_H_
#define QUERN_TRAIN_SCHEDULE_H_

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"

namespace quern {

enum class ScheduleKind { kCosine, kLinear, kConstant };
// "cosine", "linear", "constant"; InvalidArgument suggests the nearest.
absl::StatusOr<ScheduleKind> ParseScheduleKind(std::string_view name);

// cos(pi x) for x in [0, 1], by +, - and * alone: no math library's rounding shows in a run's bits.
double CosPi(double x);

struct Schedule {
  ScheduleKind kind = ScheduleKind::kCosine;
  double peak = 1e-3, least = 1e-4;
  int64_t warmup_steps = 0, total_steps = 1;

  // step s in [1, total_steps]: peak * s / (warmup + 1) while s <= warmup; peak at warmup + 1; then down to `least` at
  // the last step.
  double LearningRate(int64_t step) const;
};

}  // namespace quern

#endif  // QUERN_TRAIN_SCHEDULE_H_
