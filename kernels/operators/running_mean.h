#pragma once
#include <array>

#include "ort/attributes.h"
#include "temporal.h"
#include "variants.h"

namespace onnx_snn {

struct RunningMeanOperator {
  static constexpr const char* kName = "RunningMean";
  static constexpr std::array<const char*, 0> kParameters{};
  static constexpr std::array kStates{"sum"};
  static constexpr bool kCountsSteps = true;

  explicit RunningMeanOperator(const Attributes&) {}

  template <class S>
  NoConstants constants() const {
    return {};
  }
  Variant variant(const TemporalCall&, Element) const { return Variant::RunningMean; }
};

}  // namespace onnx_snn
