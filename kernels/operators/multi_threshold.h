#pragma once
#include "generated/signatures.h"

namespace onnx_snn {

struct MultiThresholdOperator : MultiThresholdSignature {
  using MultiThresholdSignature::MultiThresholdSignature;

  template <class S>
  MultiThresholdConstants constants() const {
    return {max_spikes < kMostSpikes ? max_spikes : kMostSpikes, refinements};
  }
  Variant variant(const TemporalCall&, Element) const {
    switch (max_spikes) {
      case 1: return Variant::MultiThreshold1;
      case 4: return Variant::MultiThreshold4;
      case 6: return Variant::MultiThreshold6;
      default: return Variant::MultiThreshold;
    }
  }
};

}  // namespace onnx_snn
