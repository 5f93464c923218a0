#pragma once
#include "generated/signatures.h"

namespace onnx_snn {

struct MultiThresholdSumOperator : MultiThresholdSumSignature {
  using MultiThresholdSumSignature::MultiThresholdSumSignature;

  static constexpr int64_t kMostSteps = kMostSpikes;

  template <class S>
  NoConstants constants() const {
    return {};
  }
  Variant variant(const TemporalCall& call, Element) const {
    switch (call.duration) {
      case 4: return Variant::MultiThresholdSum4;
      case 6: return Variant::MultiThresholdSum6;
      default: return Variant::MultiThresholdSum;
    }
  }
};

}  // namespace onnx_snn
