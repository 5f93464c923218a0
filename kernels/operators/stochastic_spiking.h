#pragma once
#include "operators/operator.h"

namespace onnx_snn {

struct StochasticSpikingOperator : OperatorDescription {
  static constexpr const char* kName = "StochasticSpiking";
  static constexpr const char* kInput = "rate";
  static constexpr std::array kParameters{"amplitude"};
  static constexpr bool kCountsSteps = true;
  static constexpr bool kCountsSamples = true;

  double dt;
  int64_t seed;

  explicit StochasticSpikingOperator(const Attributes& attributes)
      : dt(attributes.positive_number("dt", 0.001)), seed(attributes.non_negative_integer("seed", 0)) {}

  template <class S>
  RateConstants<S> constants() const {
    return {S(dt), dt, seed};
  }
  Variant variant(const TemporalCall&, Element) const { return Variant::StochasticSpiking; }
};

}  // namespace onnx_snn
