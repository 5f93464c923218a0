#pragma once
#include "operators/operator.h"

namespace onnx_snn {

struct RunningMeanOperator : OperatorDescription {
  static constexpr const char* kName = "RunningMean";
  static constexpr const char* kInput = "x";
  static constexpr std::array kStates{"sum"};
  static constexpr bool kCountsSteps = true;

  explicit RunningMeanOperator(const Attributes&) {}

  template <class S>
  NoConstants constants() const {
    return {};
  }
  Variant variant(const TemporalCall&, Element) const { return Variant::RunningMean; }
};

}  // namespace onnx_snn
