// Values as people write them in flags and config assignments.
#ifndef QUERN_CLI_VALUE_TEXT_H_
#define QUERN_CLI_VALUE_TEXT_H_

#include <cmath>
#include <limits>
#include <optional>
#include <string>

#include "absl/strings/numbers.h"

namespace quern::cli {

// A finite number.
inline std::optional<double> ParseReal(const std::string& text) {
  double real = 0;
  if (!absl::SimpleAtod(text, &real) || !std::isfinite(real)) return std::nullopt;
  return real;
}

// A whole number that T holds; 1e6 and 2.0 are whole numbers, too, as far as a double counts by ones.
template <typename T>
std::optional<T> ParseWhole(const std::string& text) {
  T whole = 0;
  if (absl::SimpleAtoi(text, &whole)) return whole;
  const std::optional<double> real = ParseReal(text);
  if (!real.has_value() || std::floor(*real) != *real || std::abs(*real) >= 0x1p53 ||
      *real < static_cast<double>(std::numeric_limits<T>::lowest()) ||
      *real > static_cast<double>(std::numeric_limits<T>::max())) {
    return std::nullopt;
  }
  return static_cast<T>(*real);
}

// true, yes, on, 1; false, no, off, 0.
inline std::optional<bool> ParseSwitch(const std::string& text) {
  if (text == "on" || text == "off") return text == "on";
  bool value = false;
  if (!absl::SimpleAtob(text, &value)) return std::nullopt;
  return value;
}

}  // namespace quern::cli

#endif  // QUERN_CLI_VALUE_TEXT_H_
