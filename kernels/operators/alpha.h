#pragma once
#include "operators/lowpass.h"

namespace onnx_snn {

struct AlphaOperator : LowpassOperator {
  static constexpr const char* kName = "Alpha";
  static constexpr std::array kStates{"first", "filtered"};

  using LowpassOperator::LowpassOperator;

  Variant variant(const TemporalCall&, Element) const { return Variant::Alpha; }
};

}  // namespace onnx_snn
