#pragma once
#include "generated/signatures.h"

namespace onnx_snn {

struct RegularSpikingOperator : RegularSpikingSignature {
  using RegularSpikingSignature::RegularSpikingSignature;

  template <class S>
  RateConstants<S> constants() const {
    return {S(dt), dt, 0};
  }
};

}  // namespace onnx_snn
