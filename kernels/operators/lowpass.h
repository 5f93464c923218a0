#pragma once
#include <cmath>

#include "operators/operator.h"

namespace onnx_snn {

struct LowpassOperator : OperatorDescription {
  static constexpr const char* kName = "Lowpass";
  static constexpr const char* kInput = "x";
  static constexpr std::array kStates{"filtered"};

  double tau, dt;

  explicit LowpassOperator(const Attributes& attributes)
      : tau(attributes.non_negative_number("tau", 0.005)), dt(attributes.positive_number("dt", 0.001)) {}

  template <class S>
  FilterConstants<S> constants() const {
    const double decay = tau > 0 ? std::exp(-dt / tau) : 0;
    return {S(decay), S(tau > 0 ? dt / tau * decay : 0)};
  }
  Variant variant(const TemporalCall&, Element) const { return Variant::Lowpass; }
};

}  // namespace onnx_snn
