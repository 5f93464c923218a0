// Written by tools/signatures.py from snn_ops/ops (`make docs`): change it there.
#pragma once
#include "operators/adaptive_lif.h"
#include "operators/alpha.h"
#include "operators/count_if.h"
#include "operators/few_spike.h"
#include "operators/few_spike_mean.h"
#include "operators/if.h"
#include "operators/izhikevich.h"
#include "operators/lif.h"
#include "operators/lif_rate.h"
#include "operators/lowpass.h"
#include "operators/multi_threshold.h"
#include "operators/multi_threshold_sum.h"
#include "operators/poisson_spiking.h"
#include "operators/regular_spiking.h"
#include "operators/running_difference.h"
#include "operators/running_mean.h"
#include "operators/sigma_delta.h"
#include "operators/soft_lif_rate.h"
#include "operators/stochastic_spiking.h"
#include "operators/time_last.h"
#include "operators/time_mean.h"

#define SNN_OPERATORS(X) \
  X(IFOperator) \
  X(CountIFOperator) \
  X(FewSpikeOperator) \
  X(FewSpikeMeanOperator) \
  X(LIFOperator) \
  X(AdaptiveLIFOperator) \
  X(IzhikevichOperator) \
  X(LIFRateOperator) \
  X(SoftLIFRateOperator) \
  X(RegularSpikingOperator) \
  X(StochasticSpikingOperator) \
  X(PoissonSpikingOperator) \
  X(SigmaDeltaOperator) \
  X(MultiThresholdOperator) \
  X(MultiThresholdSumOperator) \
  X(LowpassOperator) \
  X(AlphaOperator) \
  X(RunningMeanOperator) \
  X(RunningDifferenceOperator) \
  X(TimeMeanOperator) \
  X(TimeLastOperator)
