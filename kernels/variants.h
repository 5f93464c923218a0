// The list of compiled neurons: a row adds one to the CPU and the CUDA library. An operator picks among its variants at
// run time (operators/*.h), so that a loop over neurons holds no branch on an attribute.
#pragma once
#include "neurons.h"

//      name               struct in neurons.h
#define SNN_VARIANTS(X)                      \
  X(IF, ::onnx_snn::IF)                      \
  X(IFBurst, ::onnx_snn::IFCounting<false>)  \
  X(IFSigned, ::onnx_snn::IFCounting<true>)  \
  X(LIF, ::onnx_snn::LIF)                    \
  X(LIFSmallStep, ::onnx_snn::LIFSmallStep)  \
  X(RunningMean, ::onnx_snn::RunningMean)    \
  X(RunningDifference, ::onnx_snn::RunningDifference) \
  X(SigmaDelta, ::onnx_snn::SigmaDelta)

namespace onnx_snn {

enum class Variant {
#define SNN_NAME(name, type) name,
  SNN_VARIANTS(SNN_NAME)
#undef SNN_NAME
};

enum class Element { kFloat32, kFloat16, kFloat64 };

}  // namespace onnx_snn
