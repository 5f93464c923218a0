#pragma once
#include "generated/signatures.h"

namespace onnx_snn {

struct SigmaDeltaOperator : SigmaDeltaSignature {
  using SigmaDeltaSignature::SigmaDeltaSignature;

  template <class S>
  SigmaDeltaConstants constants() const {
    return {max_spikes};
  }
};

}  // namespace onnx_snn
