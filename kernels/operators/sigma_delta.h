#pragma once
#include "operators/operator.h"

namespace onnx_snn {

struct SigmaDeltaOperator : OperatorDescription {
  static constexpr const char* kName = "SigmaDelta";
  static constexpr const char* kInput = "target";
  static constexpr std::array kParameters{"threshold"};
  static constexpr std::array kStates{"net_count"};
  static constexpr bool kCountsSteps = true;

  int64_t max_spikes;

  explicit SigmaDeltaOperator(const Attributes& attributes)
      : max_spikes(attributes.non_negative_integer("max_spikes", 1)) {}

  template <class S>
  SigmaDeltaConstants constants() const {
    return {max_spikes};
  }
  Variant variant(const TemporalCall&, Element) const { return Variant::SigmaDelta; }
};

}  // namespace onnx_snn
