#pragma once
#include "generated/signatures.h"

namespace onnx_snn {

struct TimeLastOperator : TimeLastSignature {
  using TimeLastSignature::TimeLastSignature;

  template <class S>
  NoConstants constants() const {
    return {};
  }
};

}  // namespace onnx_snn
