#pragma once
#include <array>

#include "ort/attributes.h"
#include "temporal.h"
#include "variants.h"

namespace onnx_snn {

struct RunningDifferenceOperator {
  static constexpr const char* kName = "RunningDifference";
  static constexpr std::array<const char*, 0> kParameters{};
  static constexpr std::array kStates{"total"};
  static constexpr bool kCountsSteps = true;

  explicit RunningDifferenceOperator(const Attributes&) {}

  template <class S>
  NoConstants constants() const {
    return {};
  }
  Variant variant(const TemporalCall&, Element) const { return Variant::RunningDifference; }
};

}  // namespace onnx_snn
