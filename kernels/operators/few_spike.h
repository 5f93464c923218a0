#pragma once
#include "operators/operator.h"

namespace onnx_snn {

struct FewSpikeOperator : OperatorDescription {
  static constexpr const char* kName = "FewSpike";
  static constexpr std::array kParameters{"scale"};

  explicit FewSpikeOperator(const Attributes&) {}

  template <class S>
  NoConstants constants() const {
    return {};
  }
  Variant variant(const TemporalCall&, Element) const { return Variant::FewSpike; }
};

}  // namespace onnx_snn
