#pragma once
#include "generated/signatures.h"

namespace onnx_snn {

struct IFOperator : IFSignature {
  using IFSignature::IFSignature;

  template <class S>
  IFConstants constants() const {
    return {max_spikes};
  }
  Variant variant(const TemporalCall& call, Element) const {
    if (signed_) return Variant::IFSigned;
    const bool count_wanted = call.final_state[1] != nullptr;
    return max_spikes == 1 && !count_wanted ? Variant::IF : Variant::IFBurst;
  }
};

}  // namespace onnx_snn
