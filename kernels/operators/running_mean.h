#pragma once
#include "generated/signatures.h"

namespace onnx_snn {

struct RunningMeanOperator : RunningMeanSignature {
  using RunningMeanSignature::RunningMeanSignature;

  template <class S>
  NoConstants constants() const {
    return {};
  }
};

}  // namespace onnx_snn
