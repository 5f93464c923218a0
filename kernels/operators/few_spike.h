#pragma once
#include "generated/signatures.h"

namespace onnx_snn {

struct FewSpikeOperator : FewSpikeSignature {
  using FewSpikeSignature::FewSpikeSignature;

  template <class S>
  NoConstants constants() const {
    return {};
  }
};

}  // namespace onnx_snn
