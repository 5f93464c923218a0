#pragma once
#include <cmath>

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
    const S rate = S(1 / tau_rc);
    return {S(tau_rc), S(tau_ref), S(min_voltage), S(dt), rate, slope(rate), S(tau_ref + dt), dt, S(0), S(0)};
  }
  bool has_small_step(Element element) const {
    return element != Element::kFloat64 && dt / tau_rc <= LIFSmallStep::kLargestStep;
  }
  Variant variant(const TemporalCall&, Element element) const {
    return has_small_step(element) ? Variant::LIFSmallStep : Variant::LIF;
  }

 private:
  // 0.499997 but for rounding: with it, LIFSmallStep's decay of a whole step is that of the general equation.
  template <class S>
  S slope(S rate) const {
    const double y = -S(dt) * rate, decay = S(std::expm1(double(-S(dt) / S(tau_rc))));
    return S((decay - y) / (y * y) - y * (LIFSmallStep::kSquare + y * LIFSmallStep::kCube));
  }
};

}  // namespace onnx_snn
