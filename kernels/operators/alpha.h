#pragma once
#include "operators/lowpass.h"

namespace onnx_snn {

struct AlphaOperator : AlphaSignature {
  using AlphaSignature::AlphaSignature;

  template <class S>
  FilterConstants<S> constants() const {
    return filter_constants<S>(tau, dt, smallest);
  }
};

}  // namespace onnx_snn
