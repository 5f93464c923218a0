#pragma once
#include "generated/signatures.h"

namespace onnx_snn {

struct BoundedIFOperator : BoundedIFSignature {
  using BoundedIFSignature::BoundedIFSignature;

  template <class S>
  BoundedIF::Constants<S> constants() const {
    return {S(signed_ ? -max_spikes : 0), S(max_spikes), S(-memory), S(1 + memory)};
  }
};

}  // namespace onnx_snn
