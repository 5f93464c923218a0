#pragma once
#include "generated/signatures.h"

namespace onnx_snn {

struct StochasticSpikingOperator : StochasticSpikingSignature {
  using StochasticSpikingSignature::StochasticSpikingSignature;

  template <class S>
  RateConstants<S> constants() const {
    return {S(dt), dt, seed};
  }
};

}  // namespace onnx_snn
