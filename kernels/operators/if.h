#pragma once
#include "operators/operator.h"

namespace onnx_snn {

struct IFOperator : OperatorDescription {
  static constexpr const char* kName = "IF";
  static constexpr std::array kParameters{"threshold"};
  static constexpr std::array kStates{"voltage", "net_count"};

  int64_t max_spikes;
  bool is_signed;

  explicit IFOperator(const Attributes& attributes)
      : max_spikes(attributes.non_negative_integer("max_spikes", 1)), is_signed(attributes.flag("signed")) {}

  template <class S>
  IFConstants constants() const {
    return {max_spikes};
  }
  Variant variant(const TemporalCall& call, Element) const {
    if (is_signed) return Variant::IFSigned;
    const bool count_wanted = call.final_state[1] != nullptr;
    return max_spikes == 1 && !count_wanted ? Variant::IF : Variant::IFBurst;
  }
};

}  // namespace onnx_snn
