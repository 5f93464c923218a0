#pragma once
#include "operators/operator.h"

namespace onnx_snn {

struct LIFRateOperator : OperatorDescription {
  static constexpr const char* kName = "LIFRate";
  static constexpr Time kTime = Time::kNone;
  static constexpr std::array kParameters{"amplitude"};

  double tau_rc, tau_ref;

  explicit LIFRateOperator(const Attributes& attributes)
      : tau_rc(attributes.positive_number("tau_rc", 0.02)), tau_ref(attributes.non_negative_number("tau_ref", 0.002)) {}

  template <class S>
  LIFRate::Constants<S> constants() const {
    return {S(tau_rc), S(tau_ref)};
  }
  Variant variant(const TemporalCall&, Element) const { return Variant::LIFRate; }
};

}  // namespace onnx_snn
