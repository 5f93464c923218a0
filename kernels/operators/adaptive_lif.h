#pragma once
#include "operators/lif.h"

namespace onnx_snn {

struct AdaptiveLIFOperator : LIFOperator {
  static constexpr const char* kName = "AdaptiveLIF";
  static constexpr std::array kStates{"voltage", "refractory_time", "adaptation"};

  double tau_n, inc_n;

  explicit AdaptiveLIFOperator(const Attributes& attributes)
      : LIFOperator(attributes),
        tau_n(attributes.positive_number("tau_n", 1)),
        inc_n(attributes.non_negative_number("inc_n", 0.01)) {}

  template <class S>
  LIFConstants<S> constants() const {
    auto constants = LIFOperator::constants<S>();
    constants.tau_n_rate = S(dt / tau_n);
    constants.inc_n = S(inc_n);
    return constants;
  }
  Variant variant(const TemporalCall&, Element element) const {
    return has_small_step(element) ? Variant::AdaptiveLIFSmallStep : Variant::AdaptiveLIF;
  }
};

}  // namespace onnx_snn
