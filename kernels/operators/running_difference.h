#pragma once
#include "generated/signatures.h"

namespace onnx_snn {

struct RunningDifferenceOperator : RunningDifferenceSignature {
  using RunningDifferenceSignature::RunningDifferenceSignature;

  template <class S>
  NoConstants constants() const {
    return {};
  }
};

}  // namespace onnx_snn
