#pragma once
#include "generated/signatures.h"

namespace onnx_snn {

struct LeakyMeanOperator : LeakyMeanSignature {
  using LeakyMeanSignature::LeakyMeanSignature;

  template <class S>
  LeakyMean::Constants<S> constants() const {
    return {S(steps), S(smallest)};
  }
};

}  // namespace onnx_snn
