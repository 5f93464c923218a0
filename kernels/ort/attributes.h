// Reads a node's attributes, which ONNX Runtime does not check: a missing one takes its default, one of another type is
// converted where that is harmless and refused otherwise.
#pragma once
#include <charconv>
#include <cmath>

#include "ort/api.h"

namespace onnx_snn {

class Attributes {
 public:
  Attributes(const OrtKernelInfo* info, const char* op) : info_(info), op_(op) {}

  // A decimal number of six significant digits. The file stores a float32, so that 0.02 arrives as 0.0199999996; float64
  // kernels need the number that was meant, and take the six digits (docs/format.md).
  double number(const char* name, double default_value) const {
    float value = 0;
    int64_t integer = 0;
    if (read(Ort::GetApi().KernelInfoGetAttribute_float(info_, name, &value))) {
      if (!std::isfinite(value)) refuse(name, "must be finite");
      return decimal(value);
    }
    if (read(Ort::GetApi().KernelInfoGetAttribute_int64(info_, name, &integer))) return static_cast<double>(integer);
    refuse_text(name);
    return default_value;
  }
  double positive_number(const char* name, double default_value) const {
    const double value = number(name, default_value);
    if (!(value > 0)) refuse(name, "must be positive, it is " + text(value));
    return value;
  }
  double non_negative_number(const char* name, double default_value) const {
    const double value = number(name, default_value);
    if (!(value >= 0)) refuse(name, "must not be negative, it is " + text(value));
    return value;
  }
  double non_positive_number(const char* name, double default_value) const {
    const double value = number(name, default_value);
    if (!(value <= 0)) refuse(name, "must not be above 0");
    return value;
  }
  int64_t integer(const char* name, int64_t default_value) const {
    int64_t value = 0;
    float number = 0;
    if (read(Ort::GetApi().KernelInfoGetAttribute_int64(info_, name, &value))) return value;
    if (read(Ort::GetApi().KernelInfoGetAttribute_float(info_, name, &number))) {
      if (!(std::fabs(number) < 0x1p63f) || number != std::floor(number))
        refuse(name, "must be an integer, it is " + text(number));
      return static_cast<int64_t>(number);
    }
    refuse_text(name);
    return default_value;
  }
  int64_t non_negative_integer(const char* name, int64_t default_value) const {
    const int64_t value = integer(name, default_value);
    if (value < 0) refuse(name, "must not be negative, it is " + std::to_string(value));
    return value;
  }
  int64_t positive_integer(const char* name, int64_t default_value) const {
    const int64_t value = non_negative_integer(name, default_value);
    if (value == 0) refuse(name, "must be at least 1");
    return value;
  }
  bool flag(const char* name, bool default_value) const {
    const int64_t value = integer(name, default_value);
    if (value != 0 && value != 1) refuse(name, "must be 0 or 1, it is " + std::to_string(value));
    return value == 1;
  }

 private:
  static bool read(OrtStatus* status) {
    if (status) Ort::GetApi().ReleaseStatus(status);
    return !status;
  }
  static double decimal(float value) {
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof digits, value, std::chars_format::scientific, 5).ptr;
    double result = 0;
    std::from_chars(digits, end, result);
    return result;
  }
  static std::string text(double value) {
    char digits[32];
    return {digits, std::to_chars(digits, digits + sizeof digits, value, std::chars_format::general, 6).ptr};
  }
  [[noreturn]] void refuse(const char* name, const std::string& reason) const {
    fail(std::string(op_) + ": attribute " + name + " " + reason);
  }
  void refuse_text(const char* name) const {
    size_t size = 0;
    if (read(Ort::GetApi().KernelInfoGetAttribute_string(info_, name, nullptr, &size))) refuse(name, "must be a number");
  }

  const OrtKernelInfo* info_;
  const char* op_;
};

}  // namespace onnx_snn
