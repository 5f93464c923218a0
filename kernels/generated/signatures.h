// Written by tools/signatures.py from snn_ops/ops (`make docs`): change it there.
#pragma once
#include <array>

#include "operators/operator.h"

namespace onnx_snn {

struct IFSignature {
  static constexpr const char* kName = "IF";
  static constexpr Time kTime = Time::kSteps;
  static constexpr const char* kInput = "current";
  static constexpr std::array<const char*, 1> kParameters{"threshold"};
  static constexpr std::array<const char*, 4> kStates{"voltage", "voltage_base", "net_count", "net_count_base"};
  static constexpr std::array<bool, 4> kIsBase{false, true, false, true};
  static constexpr bool kCountsSteps = true;
  static constexpr bool kCountsSteps1 = false;  // in version 1 of the domain
  static constexpr bool kCountsSamples = false;

  int64_t max_spikes;
  bool signed_;
  bool constant_current;

  explicit IFSignature(const Attributes& attributes)
      : max_spikes(attributes.non_negative_integer("max_spikes", 1)),
        signed_(attributes.flag("signed", false)),
        constant_current(attributes.flag("constant_current", false)) {}
};

struct BoundedIFSignature {
  static constexpr const char* kName = "BoundedIF";
  static constexpr Time kTime = Time::kSteps;
  static constexpr const char* kInput = "current";
  static constexpr std::array<const char*, 1> kParameters{"threshold"};
  static constexpr std::array<const char*, 1> kStates{"voltage"};
  static constexpr std::array<bool, 1> kIsBase{false};
  static constexpr bool kCountsSteps = false;
  static constexpr bool kCountsSteps1 = false;  // in version 1 of the domain
  static constexpr bool kCountsSamples = false;

  int64_t max_spikes;
  bool signed_;
  double memory;
  bool constant_current;

  explicit BoundedIFSignature(const Attributes& attributes)
      : max_spikes(attributes.positive_integer("max_spikes", 1)),
        signed_(attributes.flag("signed", false)),
        memory(attributes.non_negative_number("memory", 1.0)),
        constant_current(attributes.flag("constant_current", false)) {}
  Variant variant(const TemporalCall&, Element) const { return Variant::BoundedIF; }
};

struct CountIFSignature {
  static constexpr const char* kName = "CountIF";
  static constexpr Time kTime = Time::kAtOnce;
  static constexpr const char* kInput = "current";
  static constexpr std::array<const char*, 2> kParameters{"threshold", "voltage"};
  static constexpr std::array<const char*, 0> kStates{};
  static constexpr std::array<bool, 0> kIsBase{};
  static constexpr bool kCountsSteps = false;
  static constexpr bool kCountsSteps1 = false;  // in version 1 of the domain
  static constexpr bool kCountsSamples = false;

  int64_t max_spikes;
  bool signed_;

  explicit CountIFSignature(const Attributes& attributes)
      : max_spikes(attributes.positive_integer("max_spikes", 1)),
        signed_(attributes.flag("signed", false)) {}
};

struct FewSpikeSignature {
  static constexpr const char* kName = "FewSpike";
  static constexpr Time kTime = Time::kSteps;
  static constexpr const char* kInput = "current";
  static constexpr std::array<const char*, 1> kParameters{"scale"};
  static constexpr std::array<const char*, 0> kStates{};
  static constexpr std::array<bool, 0> kIsBase{};
  static constexpr bool kCountsSteps = false;
  static constexpr bool kCountsSteps1 = false;  // in version 1 of the domain
  static constexpr bool kCountsSamples = false;

  bool constant_current;

  explicit FewSpikeSignature(const Attributes& attributes)
      : constant_current(attributes.flag("constant_current", false)) {}
  Variant variant(const TemporalCall&, Element) const { return Variant::FewSpike; }
};

struct FewSpikeMeanSignature {
  static constexpr const char* kName = "FewSpikeMean";
  static constexpr Time kTime = Time::kAtOnce;
  static constexpr const char* kInput = "current";
  static constexpr std::array<const char*, 1> kParameters{"scale"};
  static constexpr std::array<const char*, 0> kStates{};
  static constexpr std::array<bool, 0> kIsBase{};
  static constexpr bool kCountsSteps = false;
  static constexpr bool kCountsSteps1 = false;  // in version 1 of the domain
  static constexpr bool kCountsSamples = false;

  explicit FewSpikeMeanSignature(const Attributes&) {}
  Variant variant(const TemporalCall&, Element) const { return Variant::FewSpikeMean; }
};

struct LIFSignature {
  static constexpr const char* kName = "LIF";
  static constexpr Time kTime = Time::kSteps;
  static constexpr const char* kInput = "current";
  static constexpr std::array<const char*, 1> kParameters{"amplitude"};
  static constexpr std::array<const char*, 2> kStates{"voltage", "refractory_time"};
  static constexpr std::array<bool, 2> kIsBase{false, false};
  static constexpr bool kCountsSteps = false;
  static constexpr bool kCountsSteps1 = false;  // in version 1 of the domain
  static constexpr bool kCountsSamples = false;

  double tau_rc;
  double tau_ref;
  double min_voltage;
  double dt;
  double smallest;
  bool constant_current;

  explicit LIFSignature(const Attributes& attributes)
      : tau_rc(attributes.positive_number("tau_rc", 0.02)),
        tau_ref(attributes.non_negative_number("tau_ref", 0.002)),
        min_voltage(attributes.non_positive_number("min_voltage", 0.0)),
        dt(attributes.positive_number("dt", 0.001)),
        smallest(attributes.non_negative_number("smallest", 0.0)),
        constant_current(attributes.flag("constant_current", false)) {}
};

struct AdaptiveLIFSignature {
  static constexpr const char* kName = "AdaptiveLIF";
  static constexpr Time kTime = Time::kSteps;
  static constexpr const char* kInput = "current";
  static constexpr std::array<const char*, 1> kParameters{"amplitude"};
  static constexpr std::array<const char*, 3> kStates{"voltage", "refractory_time", "adaptation"};
  static constexpr std::array<bool, 3> kIsBase{false, false, false};
  static constexpr bool kCountsSteps = false;
  static constexpr bool kCountsSteps1 = false;  // in version 1 of the domain
  static constexpr bool kCountsSamples = false;

  double tau_rc;
  double tau_ref;
  double min_voltage;
  double dt;
  double smallest;
  bool constant_current;
  double tau_n;
  double inc_n;

  explicit AdaptiveLIFSignature(const Attributes& attributes)
      : tau_rc(attributes.positive_number("tau_rc", 0.02)),
        tau_ref(attributes.non_negative_number("tau_ref", 0.002)),
        min_voltage(attributes.non_positive_number("min_voltage", 0.0)),
        dt(attributes.positive_number("dt", 0.001)),
        smallest(attributes.non_negative_number("smallest", 0.0)),
        constant_current(attributes.flag("constant_current", false)),
        tau_n(attributes.positive_number("tau_n", 1.0)),
        inc_n(attributes.non_negative_number("inc_n", 0.01)) {}
};

struct IzhikevichSignature {
  static constexpr const char* kName = "Izhikevich";
  static constexpr Time kTime = Time::kSteps;
  static constexpr const char* kInput = "current";
  static constexpr std::array<const char*, 1> kParameters{"amplitude"};
  static constexpr std::array<const char*, 2> kStates{"voltage", "recovery"};
  static constexpr std::array<bool, 2> kIsBase{false, false};
  static constexpr bool kCountsSteps = false;
  static constexpr bool kCountsSteps1 = false;  // in version 1 of the domain
  static constexpr bool kCountsSamples = false;

  double tau_recovery;
  double coupling;
  double reset_voltage;
  double reset_recovery;
  double dt;
  bool constant_current;

  explicit IzhikevichSignature(const Attributes& attributes)
      : tau_recovery(attributes.number("tau_recovery", 0.02)),
        coupling(attributes.number("coupling", 0.2)),
        reset_voltage(attributes.number("reset_voltage", -65.0)),
        reset_recovery(attributes.number("reset_recovery", 8.0)),
        dt(attributes.positive_number("dt", 0.001)),
        constant_current(attributes.flag("constant_current", false)) {}
  Variant variant(const TemporalCall&, Element) const { return Variant::Izhikevich; }
};

struct LIFRateSignature {
  static constexpr const char* kName = "LIFRate";
  static constexpr Time kTime = Time::kNone;
  static constexpr const char* kInput = "current";
  static constexpr std::array<const char*, 1> kParameters{"amplitude"};
  static constexpr std::array<const char*, 0> kStates{};
  static constexpr std::array<bool, 0> kIsBase{};
  static constexpr bool kCountsSteps = false;
  static constexpr bool kCountsSteps1 = false;  // in version 1 of the domain
  static constexpr bool kCountsSamples = false;

  double tau_rc;
  double tau_ref;

  explicit LIFRateSignature(const Attributes& attributes)
      : tau_rc(attributes.positive_number("tau_rc", 0.02)),
        tau_ref(attributes.non_negative_number("tau_ref", 0.002)) {}
  Variant variant(const TemporalCall&, Element) const { return Variant::LIFRate; }
};

struct SoftLIFRateSignature {
  static constexpr const char* kName = "SoftLIFRate";
  static constexpr Time kTime = Time::kNone;
  static constexpr const char* kInput = "current";
  static constexpr std::array<const char*, 1> kParameters{"amplitude"};
  static constexpr std::array<const char*, 0> kStates{};
  static constexpr std::array<bool, 0> kIsBase{};
  static constexpr bool kCountsSteps = false;
  static constexpr bool kCountsSteps1 = false;  // in version 1 of the domain
  static constexpr bool kCountsSamples = false;

  double tau_rc;
  double tau_ref;
  double sigma;

  explicit SoftLIFRateSignature(const Attributes& attributes)
      : tau_rc(attributes.positive_number("tau_rc", 0.02)),
        tau_ref(attributes.non_negative_number("tau_ref", 0.002)),
        sigma(attributes.positive_number("sigma", 1.0)) {}
  Variant variant(const TemporalCall&, Element) const { return Variant::SoftLIFRate; }
};

struct RegularSpikingSignature {
  static constexpr const char* kName = "RegularSpiking";
  static constexpr Time kTime = Time::kSteps;
  static constexpr const char* kInput = "rate";
  static constexpr std::array<const char*, 1> kParameters{"amplitude"};
  static constexpr std::array<const char*, 1> kStates{"voltage"};
  static constexpr std::array<bool, 1> kIsBase{false};
  static constexpr bool kCountsSteps = false;
  static constexpr bool kCountsSteps1 = false;  // in version 1 of the domain
  static constexpr bool kCountsSamples = false;

  double dt;
  bool constant_current;

  explicit RegularSpikingSignature(const Attributes& attributes)
      : dt(attributes.positive_number("dt", 0.001)),
        constant_current(attributes.flag("constant_current", false)) {}
  Variant variant(const TemporalCall&, Element) const { return Variant::RegularSpiking; }
};

struct StochasticSpikingSignature {
  static constexpr const char* kName = "StochasticSpiking";
  static constexpr Time kTime = Time::kSteps;
  static constexpr const char* kInput = "rate";
  static constexpr std::array<const char*, 1> kParameters{"amplitude"};
  static constexpr std::array<const char*, 0> kStates{};
  static constexpr std::array<bool, 0> kIsBase{};
  static constexpr bool kCountsSteps = true;
  static constexpr bool kCountsSteps1 = true;  // in version 1 of the domain
  static constexpr bool kCountsSamples = true;

  double dt;
  int64_t seed;
  bool constant_current;

  explicit StochasticSpikingSignature(const Attributes& attributes)
      : dt(attributes.positive_number("dt", 0.001)),
        seed(attributes.non_negative_integer("seed", 0)),
        constant_current(attributes.flag("constant_current", false)) {}
  Variant variant(const TemporalCall&, Element) const { return Variant::StochasticSpiking; }
};

struct PoissonSpikingSignature {
  static constexpr const char* kName = "PoissonSpiking";
  static constexpr Time kTime = Time::kSteps;
  static constexpr const char* kInput = "rate";
  static constexpr std::array<const char*, 1> kParameters{"amplitude"};
  static constexpr std::array<const char*, 0> kStates{};
  static constexpr std::array<bool, 0> kIsBase{};
  static constexpr bool kCountsSteps = true;
  static constexpr bool kCountsSteps1 = true;  // in version 1 of the domain
  static constexpr bool kCountsSamples = true;

  double dt;
  int64_t seed;
  bool constant_current;

  explicit PoissonSpikingSignature(const Attributes& attributes)
      : dt(attributes.positive_number("dt", 0.001)),
        seed(attributes.non_negative_integer("seed", 0)),
        constant_current(attributes.flag("constant_current", false)) {}
  Variant variant(const TemporalCall&, Element) const { return Variant::PoissonSpiking; }
};

struct SigmaDeltaSignature {
  static constexpr const char* kName = "SigmaDelta";
  static constexpr Time kTime = Time::kSteps;
  static constexpr const char* kInput = "target";
  static constexpr std::array<const char*, 1> kParameters{"threshold"};
  static constexpr std::array<const char*, 2> kStates{"net_count", "net_count_base"};
  static constexpr std::array<bool, 2> kIsBase{false, true};
  static constexpr bool kCountsSteps = true;
  static constexpr bool kCountsSteps1 = true;  // in version 1 of the domain
  static constexpr bool kCountsSamples = false;

  int64_t max_spikes;
  bool constant_current;

  explicit SigmaDeltaSignature(const Attributes& attributes)
      : max_spikes(attributes.non_negative_integer("max_spikes", 1)),
        constant_current(attributes.flag("constant_current", false)) {}
  Variant variant(const TemporalCall&, Element) const { return Variant::SigmaDelta; }
  Variant variant_1(const TemporalCall&, Element) const { return Variant::SigmaDelta1; }
};

struct MultiThresholdSignature {
  static constexpr const char* kName = "MultiThreshold";
  static constexpr Time kTime = Time::kSteps;
  static constexpr const char* kInput = "target";
  static constexpr std::array<const char*, 3> kParameters{"threshold", "resting_value", "finest_exponent"};
  static constexpr std::array<const char*, 1> kStates{"sent"};
  static constexpr std::array<bool, 1> kIsBase{false};
  static constexpr bool kCountsSteps = true;
  static constexpr bool kCountsSteps1 = true;  // in version 1 of the domain
  static constexpr bool kCountsSamples = false;

  int64_t max_spikes;
  int64_t refinements;
  bool constant_current;

  explicit MultiThresholdSignature(const Attributes& attributes)
      : max_spikes(attributes.positive_integer("max_spikes", 1)),
        refinements(attributes.non_negative_integer("refinements", 0)),
        constant_current(attributes.flag("constant_current", false)) {}
};

struct MultiThresholdSumSignature {
  static constexpr const char* kName = "MultiThresholdSum";
  static constexpr Time kTime = Time::kAtOnce;
  static constexpr const char* kInput = "target";
  static constexpr std::array<const char*, 3> kParameters{"threshold", "resting_value", "finest_exponent"};
  static constexpr std::array<const char*, 0> kStates{};
  static constexpr std::array<bool, 0> kIsBase{};
  static constexpr bool kCountsSteps = false;
  static constexpr bool kCountsSteps1 = false;  // in version 1 of the domain
  static constexpr bool kCountsSamples = false;

  explicit MultiThresholdSumSignature(const Attributes&) {}
};

struct LowpassSignature {
  static constexpr const char* kName = "Lowpass";
  static constexpr Time kTime = Time::kSteps;
  static constexpr const char* kInput = "x";
  static constexpr std::array<const char*, 0> kParameters{};
  static constexpr std::array<const char*, 1> kStates{"filtered"};
  static constexpr std::array<bool, 1> kIsBase{false};
  static constexpr bool kCountsSteps = false;
  static constexpr bool kCountsSteps1 = false;  // in version 1 of the domain
  static constexpr bool kCountsSamples = false;

  double tau;
  double dt;
  double smallest;
  bool constant_current;

  explicit LowpassSignature(const Attributes& attributes)
      : tau(attributes.non_negative_number("tau", 0.005)),
        dt(attributes.positive_number("dt", 0.001)),
        smallest(attributes.non_negative_number("smallest", 0.0)),
        constant_current(attributes.flag("constant_current", false)) {}
  Variant variant(const TemporalCall&, Element) const { return Variant::Lowpass; }
};

struct AlphaSignature {
  static constexpr const char* kName = "Alpha";
  static constexpr Time kTime = Time::kSteps;
  static constexpr const char* kInput = "x";
  static constexpr std::array<const char*, 0> kParameters{};
  static constexpr std::array<const char*, 2> kStates{"first", "filtered"};
  static constexpr std::array<bool, 2> kIsBase{false, false};
  static constexpr bool kCountsSteps = false;
  static constexpr bool kCountsSteps1 = false;  // in version 1 of the domain
  static constexpr bool kCountsSamples = false;

  double tau;
  double dt;
  double smallest;
  bool constant_current;

  explicit AlphaSignature(const Attributes& attributes)
      : tau(attributes.non_negative_number("tau", 0.005)),
        dt(attributes.positive_number("dt", 0.001)),
        smallest(attributes.non_negative_number("smallest", 0.0)),
        constant_current(attributes.flag("constant_current", false)) {}
  Variant variant(const TemporalCall&, Element) const { return Variant::Alpha; }
};

struct RunningMeanSignature {
  static constexpr const char* kName = "RunningMean";
  static constexpr Time kTime = Time::kSteps;
  static constexpr const char* kInput = "x";
  static constexpr std::array<const char*, 0> kParameters{};
  static constexpr std::array<const char*, 2> kStates{"sum", "sum_base"};
  static constexpr std::array<bool, 2> kIsBase{false, true};
  static constexpr bool kCountsSteps = true;
  static constexpr bool kCountsSteps1 = true;  // in version 1 of the domain
  static constexpr bool kCountsSamples = false;

  bool constant_current;

  explicit RunningMeanSignature(const Attributes& attributes)
      : constant_current(attributes.flag("constant_current", false)) {}
  Variant variant(const TemporalCall&, Element) const { return Variant::RunningMean; }
  Variant variant_1(const TemporalCall&, Element) const { return Variant::RunningMean1; }
};

struct LeakyMeanSignature {
  static constexpr const char* kName = "LeakyMean";
  static constexpr Time kTime = Time::kSteps;
  static constexpr const char* kInput = "x";
  static constexpr std::array<const char*, 0> kParameters{};
  static constexpr std::array<const char*, 1> kStates{"mean"};
  static constexpr std::array<bool, 1> kIsBase{false};
  static constexpr bool kCountsSteps = true;
  static constexpr bool kCountsSteps1 = true;  // in version 1 of the domain
  static constexpr bool kCountsSamples = false;

  int64_t steps;
  double smallest;
  bool constant_current;

  explicit LeakyMeanSignature(const Attributes& attributes)
      : steps(attributes.positive_integer("steps", 8)),
        smallest(attributes.non_negative_number("smallest", 0.0)),
        constant_current(attributes.flag("constant_current", false)) {}
  Variant variant(const TemporalCall&, Element) const { return Variant::LeakyMean; }
};

struct RunningDifferenceSignature {
  static constexpr const char* kName = "RunningDifference";
  static constexpr Time kTime = Time::kSteps;
  static constexpr const char* kInput = "x";
  static constexpr std::array<const char*, 0> kParameters{};
  static constexpr std::array<const char*, 1> kStates{"total"};
  static constexpr std::array<bool, 1> kIsBase{false};
  static constexpr bool kCountsSteps = true;
  static constexpr bool kCountsSteps1 = true;  // in version 1 of the domain
  static constexpr bool kCountsSamples = false;

  bool constant_current;

  explicit RunningDifferenceSignature(const Attributes& attributes)
      : constant_current(attributes.flag("constant_current", false)) {}
  Variant variant(const TemporalCall&, Element) const { return Variant::RunningDifference; }
};

struct TimeMeanSignature {
  static constexpr const char* kName = "TimeMean";
  static constexpr Time kTime = Time::kLast;
  static constexpr const char* kInput = "x";
  static constexpr std::array<const char*, 0> kParameters{};
  static constexpr std::array<const char*, 2> kStates{"sum", "sum_base"};
  static constexpr std::array<bool, 2> kIsBase{false, true};
  static constexpr bool kCountsSteps = true;
  static constexpr bool kCountsSteps1 = true;  // in version 1 of the domain
  static constexpr bool kCountsSamples = false;

  explicit TimeMeanSignature(const Attributes&) {}
  Variant variant(const TemporalCall&, Element) const { return Variant::TimeMean; }
  Variant variant_1(const TemporalCall&, Element) const { return Variant::TimeMean1; }
};

struct TimeLastSignature {
  static constexpr const char* kName = "TimeLast";
  static constexpr Time kTime = Time::kLast;
  static constexpr const char* kInput = "x";
  static constexpr std::array<const char*, 0> kParameters{};
  static constexpr std::array<const char*, 0> kStates{};
  static constexpr std::array<bool, 0> kIsBase{};
  static constexpr bool kCountsSteps = false;
  static constexpr bool kCountsSteps1 = false;  // in version 1 of the domain
  static constexpr bool kCountsSamples = false;

  explicit TimeLastSignature(const Attributes&) {}
  Variant variant(const TemporalCall&, Element) const { return Variant::TimeLast; }
};

}  // namespace onnx_snn
