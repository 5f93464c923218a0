#pragma once
#include "operators/running_mean.h"

namespace onnx_snn {

// The running mean of which only the last step is kept.
struct TimeMeanOperator : RunningMeanOperator {
  static constexpr const char* kName = "TimeMean";
  static constexpr Time kTime = Time::kLast;

  using RunningMeanOperator::RunningMeanOperator;
};

}  // namespace onnx_snn
