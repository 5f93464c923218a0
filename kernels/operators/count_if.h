#pragma once
#include "generated/signatures.h"

namespace onnx_snn {

struct CountIFOperator : CountIFSignature {
  using CountIFSignature::CountIFSignature;

  template <class S>
  IFConstants constants() const {
    return {max_spikes};
  }
  Variant variant(const TemporalCall&, Element) const { return signed_ ? Variant::CountIFSigned : Variant::CountIF; }
};

}  // namespace onnx_snn
