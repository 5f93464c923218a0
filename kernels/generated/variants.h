// Written by tools/signatures.py from snn_ops/ops (`make docs`): change it there.
// The compiled neurons: each is one in the CPU and one in the CUDA library. An operator picks among its variants
// at run time (operators/NAME.h), so that a loop over neurons holds no branch on an attribute.
#pragma once
#include "neurons.h"

// name, struct in neurons.h
#define SNN_VARIANTS(X) \
  X(IF, IF) \
  X(IFBurst, IFCounting<false>) \
  X(IFSigned, IFCounting<true>) \
  X(IF1, IF1) \
  X(IFBurst1, IFCounting1<false>) \
  X(IFSigned1, IFCounting1<true>) \
  X(BoundedIF, BoundedIF) \
  X(CountIF, CountIF<false>) \
  X(CountIFSigned, CountIF<true>) \
  X(FewSpike, FewSpike) \
  X(FewSpikeMean, FewSpikeMean) \
  X(LIF, LIF) \
  X(LIFSmallStep, LIFSmallStep) \
  X(AdaptiveLIF, Adaptive<LIF>) \
  X(AdaptiveLIFSmallStep, Adaptive<LIFSmallStep>) \
  X(Izhikevich, Izhikevich) \
  X(LIFRate, LIFRate) \
  X(SoftLIFRate, SoftLIFRate) \
  X(RegularSpiking, RegularSpiking) \
  X(StochasticSpiking, StochasticSpiking) \
  X(PoissonSpiking, PoissonSpiking) \
  X(SigmaDelta, SigmaDelta) \
  X(SigmaDelta1, SigmaDelta1) \
  X(MultiThreshold, MultiThreshold<0>) \
  X(MultiThreshold1, MultiThreshold<1>) \
  X(MultiThreshold4, MultiThreshold<4>) \
  X(MultiThreshold6, MultiThreshold<6>) \
  X(MultiThresholdSum, MultiThresholdSum<0>) \
  X(MultiThresholdSum4, MultiThresholdSum<4>) \
  X(MultiThresholdSum6, MultiThresholdSum<6>) \
  X(Lowpass, Lowpass) \
  X(Alpha, Alpha) \
  X(RunningMean, RunningMean) \
  X(RunningMean1, RunningMean1) \
  X(LeakyMean, LeakyMean) \
  X(RunningDifference, RunningDifference) \
  X(TimeMean, TimeMean) \
  X(TimeMean1, TimeMean1) \
  X(TimeLast, TimeLast)

namespace onnx_snn {

enum class Variant {
  IF,
  IFBurst,
  IFSigned,
  IF1,
  IFBurst1,
  IFSigned1,
  BoundedIF,
  CountIF,
  CountIFSigned,
  FewSpike,
  FewSpikeMean,
  LIF,
  LIFSmallStep,
  AdaptiveLIF,
  AdaptiveLIFSmallStep,
  Izhikevich,
  LIFRate,
  SoftLIFRate,
  RegularSpiking,
  StochasticSpiking,
  PoissonSpiking,
  SigmaDelta,
  SigmaDelta1,
  MultiThreshold,
  MultiThreshold1,
  MultiThreshold4,
  MultiThreshold6,
  MultiThresholdSum,
  MultiThresholdSum4,
  MultiThresholdSum6,
  Lowpass,
  Alpha,
  RunningMean,
  RunningMean1,
  LeakyMean,
  RunningDifference,
  TimeMean,
  TimeMean1,
  TimeLast,
};

}  // namespace onnx_snn
