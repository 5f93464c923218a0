// What the ONNX Runtime side needs to know of an operator; each file of this folder describes one. A description reads and
// checks the node's attributes, turns them into the neuron's constants, and picks the compiled variant.
#pragma once
#include <array>

#include "ort/attributes.h"
#include "temporal.h"
#include "variants.h"

namespace onnx_snn {

enum class Time {
  kSteps,   // takes n_steps and runs through them: [T*B, ...] -> [T*B, ...]
  kLast,    // takes n_steps and gives what the last of them gives: [T*B, ...] -> [B, ...]
  kAtOnce,  // takes n_steps and computes what they would give: [B, ...] -> [B, ...]
  kNone,    // knows nothing of time: any shape
};

struct OperatorDescription {
  static constexpr Time kTime = Time::kSteps;
  static constexpr const char* kInput = "current";
  static constexpr std::array<const char*, 0> kParameters{};
  static constexpr std::array<const char*, 0> kStates{};
  static constexpr bool kCountsSteps = false;    // has the input and output `step`
  static constexpr bool kCountsSamples = false;  // has the input `first_sample`
};

}  // namespace onnx_snn
