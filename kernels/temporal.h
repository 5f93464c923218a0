// What a kernel is told: one call of an operator that takes a current through time, the same for CPU and CUDA.
// snn_ops/cupy_ops.py fills the same struct.
#pragma once
#ifndef __CUDACC_RTC__  // NVRTC has no standard headers
#include <cstdint>
#endif

namespace onnx_snn {

#ifdef __CUDACC_RTC__
using int64_t = long long;
#endif

enum class Element { kFloat32, kFloat16, kFloat64 };  // the type of currents

constexpr int kMaxRank = 8;             // axes of [B, ...] longer than 1
constexpr int kMaxAxes = kMaxRank / 2;  // of an operand: neighbours along which it changes are one
constexpr int kMaxParameters = 3;
constexpr int kMaxStates = 4;

// An axis along which an operand changes: neuron i reads from place (i / inner) % length * stride.
struct Axis {
  int64_t inner;   // neurons for which one value serves, before the next along this axis
  int64_t length;
  int64_t stride;  // in elements
};

// A parameter or an initial state, read with NumPy's broadcasting against the neurons' shape [B, ...]. The innermost axis has
// the stride 1, since the operand is contiguous. A channel's threshold has one axis; a value for each neuron has one, too, of
// all neurons.
struct Operand {
  const void* data;     // null: zero for all neurons
  int n_axes;           // 0: one value serves all neurons
  Axis axis[kMaxAxes];  // the innermost first
};

struct TemporalCall {
  const void* current;   // [T, B, ...], or [B, ...] held for all steps
  int64_t current_step;  // elements from one time step of `current` to the next: the number of neurons, or 0
  void* output;          // [T, B, ...], or [B, ...], of neurons that give one output after the last step
  int64_t output_step;   // elements from one time step of `output` to the next: the number of neurons, or 0
  int64_t n_steps;       // T: how often a neuron steps
  int64_t duration;      // what Clock::n_steps says: T, also for an operator that steps once for all of them
  int64_t n_neurons;     // B * ...
  Operand parameter[kMaxParameters];
  Operand state[kMaxStates];
  void* final_state[kMaxStates];  // [B, ...] each; null where nobody asked for it
  const int64_t* first_step;      // steps done by earlier chunks of the same run; null: the operator does not count
  int64_t* last_step;             // first_step + n_steps goes here; null where nobody asked for it
  const int64_t* first_sample;    // samples in earlier batches of the same run; null: the operator does not care
  int64_t neurons_per_sample;
};

}  // namespace onnx_snn
