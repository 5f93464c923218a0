#pragma once
#include "operators/lif.h"

namespace onnx_snn {

struct AdaptiveLIFOperator : AdaptiveLIFSignature {
  using AdaptiveLIFSignature::AdaptiveLIFSignature;

  template <class S>
  LIFConstants<S> constants() const {
    auto constants = lif_constants<S>(*this);
    constants.tau_n_rate = S(dt / tau_n);
    constants.inc_n = S(inc_n);
    return constants;
  }
  Variant variant(const TemporalCall&, Element element) const {
    return has_small_step(*this, element) ? Variant::AdaptiveLIFSmallStep : Variant::AdaptiveLIF;
  }
};

}  // namespace onnx_snn
