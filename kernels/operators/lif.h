#pragma once
#include <cmath>

#include "generated/signatures.h"

namespace onnx_snn {

// `a`: an operator with the attributes of LIF.
template <class S, class Signature>
LIFConstants<S> lif_constants(const Signature& a) {
  const S tau_rc = S(a.tau_rc), dt = S(a.dt), rate = S(1 / a.tau_rc);
  // 0.499997 but for rounding: with it, LIFSmallStep's decay of a whole step is that of the general equation.
  const double y = -dt * rate, decay = S(std::expm1(double(-dt / tau_rc)));
  const S slope = S((decay - y) / (y * y) - y * (LIFSmallStep::kSquare + y * LIFSmallStep::kCube));
  return {tau_rc, S(a.tau_ref), S(a.min_voltage), dt, rate, slope, S(a.tau_ref + a.dt), a.dt, S(0), S(0), S(a.smallest)};
}

template <class Signature>
bool has_small_step(const Signature& a, Element element) {
  return element != Element::kFloat64 && a.dt / a.tau_rc <= LIFSmallStep::kLargestStep;
}

struct LIFOperator : LIFSignature {
  using LIFSignature::LIFSignature;

  template <class S>
  LIFConstants<S> constants() const {
    return lif_constants<S>(*this);
  }
  Variant variant(const TemporalCall&, Element element) const {
    return has_small_step(*this, element) ? Variant::LIFSmallStep : Variant::LIF;
  }
};

}  // namespace onnx_snn
