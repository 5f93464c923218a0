#pragma once
#include "operators/operator.h"

namespace onnx_snn {

struct LIFOperator : OperatorDescription {
  static constexpr const char* kName = "LIF";
  static constexpr std::array kParameters{"amplitude"};
  static constexpr std::array kStates{"voltage", "refractory_time"};

  double tau_rc, tau_ref, min_voltage, dt;

  explicit LIFOperator(const Attributes& attributes)
      : tau_rc(attributes.positive_number("tau_rc", 0.02)),
        tau_ref(attributes.non_negative_number("tau_ref", 0.002)),
        min_voltage(attributes.number("min_voltage", 0)),
        dt(attributes.positive_number("dt", 0.001)) {
    if (min_voltage > 0) attributes.refuse("min_voltage", "must not be above 0");
  }

  template <class S>
  LIFConstants<S> constants() const {
    return {S(tau_rc),      S(tau_ref),      S(min_voltage), S(dt), S(1 / tau_rc),
            S(dt / tau_rc), S(tau_ref + dt), dt,             S(0),  S(0)};
  }
  bool has_small_step(Element element) const {
    return element != Element::kFloat64 && dt / tau_rc <= LIFSmallStep::kLargestStep;
  }
  Variant variant(const TemporalCall&, Element element) const {
    return has_small_step(element) ? Variant::LIFSmallStep : Variant::LIF;
  }
};

}  // namespace onnx_snn
