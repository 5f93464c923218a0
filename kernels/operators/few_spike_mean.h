#pragma once
#include "generated/signatures.h"

namespace onnx_snn {

struct FewSpikeMeanOperator : FewSpikeMeanSignature {
  using FewSpikeMeanSignature::FewSpikeMeanSignature;

  template <class S>
  NoConstants constants() const {
    return {};
  }
};

}  // namespace onnx_snn
