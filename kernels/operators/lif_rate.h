#pragma once
#include "generated/signatures.h"

namespace onnx_snn {

struct LIFRateOperator : LIFRateSignature {
  using LIFRateSignature::LIFRateSignature;

  template <class S>
  LIFRate::Constants<S> constants() const {
    return {S(tau_rc), S(tau_ref)};
  }
};

}  // namespace onnx_snn
