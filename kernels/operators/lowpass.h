#pragma once
#include <cmath>

#include "generated/signatures.h"

namespace onnx_snn {

template <class S>
FilterConstants<S> filter_constants(double tau, double dt, double smallest) {
  const double decay = tau > 0 ? std::exp(-dt / tau) : 0;
  return {S(decay), S(tau > 0 ? dt / tau * decay : 0), S(smallest)};
}

struct LowpassOperator : LowpassSignature {
  using LowpassSignature::LowpassSignature;

  template <class S>
  FilterConstants<S> constants() const {
    return filter_constants<S>(tau, dt, smallest);
  }
};

}  // namespace onnx_snn
