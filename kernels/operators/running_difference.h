#pragma once
#include "operators/operator.h"

namespace onnx_snn {

struct RunningDifferenceOperator : OperatorDescription {
  static constexpr const char* kName = "RunningDifference";
  static constexpr const char* kInput = "x";
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
