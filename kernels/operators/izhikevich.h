#pragma once
#include "generated/signatures.h"

namespace onnx_snn {

struct IzhikevichOperator : IzhikevichSignature {
  using IzhikevichSignature::IzhikevichSignature;

  template <class S>
  IzhikevichConstants<S> constants() const {
    return {S(tau_recovery), S(coupling), S(reset_voltage), S(reset_recovery), S(dt), dt};
  }
};

}  // namespace onnx_snn
