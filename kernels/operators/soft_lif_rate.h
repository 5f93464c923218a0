#pragma once
#include "operators/operator.h"

namespace onnx_snn {

struct SoftLIFRateOperator : OperatorDescription {
  static constexpr const char* kName = "SoftLIFRate";
  static constexpr Time kTime = Time::kNone;
  static constexpr std::array kParameters{"amplitude"};

  double tau_rc, tau_ref, sigma;

  explicit SoftLIFRateOperator(const Attributes& attributes)
      : tau_rc(attributes.positive_number("tau_rc", 0.02)),
        tau_ref(attributes.non_negative_number("tau_ref", 0.002)),
        sigma(attributes.positive_number("sigma", 1)) {}

  template <class S>
  SoftLIFRate::Constants<S> constants() const {
    return {S(tau_rc), S(tau_ref), S(sigma)};
  }
  Variant variant(const TemporalCall&, Element) const { return Variant::SoftLIFRate; }
};

}  // namespace onnx_snn
