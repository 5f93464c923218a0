// Each file of this folder is an operator: a struct NAMEOperator derived from NAMESignature (generated/signatures.h), which
// reads and checks the node's attributes. It has
//   constants<S>()          the neuron's Constants<S>, from the attributes
//   variant(call, element)  which compiled neuron takes the call; generated where there is only one
#pragma once
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

}  // namespace onnx_snn
