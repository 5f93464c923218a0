// Each file of this folder is an operator: a struct NAMEOperator derived from NAMESignature (generated/signatures.h), which
// reads and checks the node's attributes. It has
//   constants<S>()          the neuron's Constants<S>, from the attributes
//   variant(call, element)  which compiled neuron takes the call; generated where there is only one
//   kMostSteps              where it has one: more steps give what so many give, so no more are counted
#pragma once
#include <cstdint>
#include <limits>
#include <type_traits>

#include "generated/variants.h"
#include "ort/attributes.h"
#include "temporal.h"

namespace onnx_snn {

// What an operator does with time; snn_ops/ops/_signature.py has the same names.
enum class Time {
  kSteps,   // takes n_steps and runs through them: [T*B, ...] -> [T*B, ...]
  kLast,    // takes n_steps and gives what the last of them gives: [T*B, ...] -> [B, ...]
  kAtOnce,  // takes n_steps and computes what they would give: [B, ...] -> [B, ...]
  kNone,    // knows nothing of time: any shape
};

template <class Op, class = void>
struct MostSteps {
  static constexpr int64_t kValue = std::numeric_limits<int64_t>::max();
};
template <class Op>
struct MostSteps<Op, std::void_t<decltype(Op::kMostSteps)>> {
  static constexpr int64_t kValue = Op::kMostSteps;
};

// A sum of spikes of height 1 in float32 grows no further than this. In float64, a step has no more of them.
constexpr int64_t kMostSpikes = 1 << 24;

}  // namespace onnx_snn
