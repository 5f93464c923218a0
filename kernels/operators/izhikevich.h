#pragma once
#include "operators/operator.h"

namespace onnx_snn {

struct IzhikevichOperator : OperatorDescription {
  static constexpr const char* kName = "Izhikevich";
  static constexpr std::array kParameters{"amplitude"};
  static constexpr std::array kStates{"voltage", "recovery"};

  double tau_recovery, coupling, reset_voltage, reset_recovery, dt;

  explicit IzhikevichOperator(const Attributes& attributes)
      : tau_recovery(attributes.number("tau_recovery", 0.02)),
        coupling(attributes.number("coupling", 0.2)),
        reset_voltage(attributes.number("reset_voltage", -65)),
        reset_recovery(attributes.number("reset_recovery", 8)),
        dt(attributes.positive_number("dt", 0.001)) {}

  template <class S>
  IzhikevichConstants<S> constants() const {
    return {S(tau_recovery), S(coupling), S(reset_voltage), S(reset_recovery), S(dt), dt};
  }
  Variant variant(const TemporalCall&, Element) const { return Variant::Izhikevich; }
};

}  // namespace onnx_snn
