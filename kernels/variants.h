// The list of compiled neurons: a row adds one to the CPU and the CUDA library. An operator picks among its variants at
// run time (operators/*.h), so that a loop over neurons holds no branch on an attribute.
#pragma once
#include "neurons.h"

//      name                 struct in neurons.h
#define SNN_VARIANTS(X)                                            \
  X(IF, ::onnx_snn::IF)                                            \
  X(IFBurst, ::onnx_snn::IFCounting<false>)                        \
  X(IFSigned, ::onnx_snn::IFCounting<true>)                        \
  X(CountIF, ::onnx_snn::CountIF<false>)                           \
  X(CountIFSigned, ::onnx_snn::CountIF<true>)                      \
  X(FewSpike, ::onnx_snn::FewSpike)                                \
  X(LIF, ::onnx_snn::LIF)                                          \
  X(LIFSmallStep, ::onnx_snn::LIFSmallStep)                        \
  X(AdaptiveLIF, ::onnx_snn::Adaptive<::onnx_snn::LIF>)            \
  X(AdaptiveLIFSmallStep, ::onnx_snn::Adaptive<::onnx_snn::LIFSmallStep>) \
  X(LIFRate, ::onnx_snn::LIFRate)                                  \
  X(SoftLIFRate, ::onnx_snn::SoftLIFRate)                          \
  X(Izhikevich, ::onnx_snn::Izhikevich)                            \
  X(RegularSpiking, ::onnx_snn::RegularSpiking)                    \
  X(StochasticSpiking, ::onnx_snn::StochasticSpiking)              \
  X(PoissonSpiking, ::onnx_snn::PoissonSpiking)                    \
  X(Lowpass, ::onnx_snn::Lowpass)                                  \
  X(Alpha, ::onnx_snn::Alpha)                                      \
  X(RunningMean, ::onnx_snn::RunningMean)                          \
  X(RunningDifference, ::onnx_snn::RunningDifference)              \
  X(SigmaDelta, ::onnx_snn::SigmaDelta)

namespace onnx_snn {

enum class Variant {
#define SNN_NAME(name, type) name,
  SNN_VARIANTS(SNN_NAME)
#undef SNN_NAME
};

enum class Element { kFloat32, kFloat16, kFloat64 };

}  // namespace onnx_snn
