#pragma once
#include "generated/signatures.h"

namespace onnx_snn {

struct TimeMeanOperator : TimeMeanSignature {
  using TimeMeanSignature::TimeMeanSignature;

  template <class S>
  NoConstants constants() const {
    return {};
  }
};

}  // namespace onnx_snn
