#pragma once
#include "generated/signatures.h"

namespace onnx_snn {

struct SoftLIFRateOperator : SoftLIFRateSignature {
  using SoftLIFRateSignature::SoftLIFRateSignature;

  template <class S>
  SoftLIFRate::Constants<S> constants() const {
    return {S(tau_rc), S(tau_ref), S(sigma)};
  }
};

}  // namespace onnx_snn
