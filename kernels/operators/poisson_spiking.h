#pragma once
#include "operators/stochastic_spiking.h"

namespace onnx_snn {

struct PoissonSpikingOperator : StochasticSpikingOperator {
  static constexpr const char* kName = "PoissonSpiking";

  using StochasticSpikingOperator::StochasticSpikingOperator;

  Variant variant(const TemporalCall&, Element) const { return Variant::PoissonSpiking; }
};

}  // namespace onnx_snn
