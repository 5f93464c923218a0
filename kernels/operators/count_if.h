#pragma once
#include "operators/operator.h"

namespace onnx_snn {

struct CountIFOperator : OperatorDescription {
  static constexpr const char* kName = "CountIF";
  static constexpr Time kTime = Time::kAtOnce;
  static constexpr std::array kParameters{"threshold", "voltage"};

  int64_t max_spikes;
  bool is_signed;

  explicit CountIFOperator(const Attributes& attributes)
      : max_spikes(attributes.non_negative_integer("max_spikes", 1)), is_signed(attributes.flag("signed")) {
    if (max_spikes == 0) attributes.refuse("max_spikes", "must be at least 1");
  }

  template <class S>
  IFConstants constants() const {
    return {max_spikes};
  }
  Variant variant(const TemporalCall&, Element) const { return is_signed ? Variant::CountIFSigned : Variant::CountIF; }
};

}  // namespace onnx_snn
