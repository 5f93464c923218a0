#pragma once
#include "operators/operator.h"

namespace onnx_snn {

struct RegularSpikingOperator : OperatorDescription {
  static constexpr const char* kName = "RegularSpiking";
  static constexpr const char* kInput = "rate";
  static constexpr std::array kParameters{"amplitude"};
  static constexpr std::array kStates{"voltage"};

  double dt;

  explicit RegularSpikingOperator(const Attributes& attributes) : dt(attributes.positive_number("dt", 0.001)) {}

  template <class S>
  RateConstants<S> constants() const {
    return {S(dt), dt, 0};
  }
  Variant variant(const TemporalCall&, Element) const { return Variant::RegularSpiking; }
};

}  // namespace onnx_snn
