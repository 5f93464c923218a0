// How a GPU takes a neuron through time, its state and parameters in registers from the first step to the last. Neighbouring
// threads are neighbouring neurons, so every step is one coalesced read and one coalesced write (one in all, where only the
// last step is kept); the reads of kAhead steps are under way at once. nvcc (cuda/walk.cu) and NVRTC (snn_ops/cupy_ops.py) compile this; the
// host compiler does in a test.
#pragma once
#include "neurons.h"
#include "temporal.h"

namespace onnx_snn {

constexpr int kAhead = 4;

// How currents of type T lie in memory, and the type in which an operator computes on them.
template <class T>
struct Stored {
  using Arithmetic = T;
  static SNN_FUNCTION T load(const T* in) { return *in; }
  static SNN_FUNCTION void store(T value, T* out) { *out = value; }
};

template <class S>
SNN_FUNCTION S read(const Operand& operand, const TemporalCall& call, int64_t neuron) {
  const S* data = static_cast<const S*>(operand.data);
  if (!data) return 0;
  if (operand.uniform) return data[0];
  int64_t offset = 0;
  for (int axis = call.rank - 1; axis >= 0; --axis) {
    offset += neuron % call.dims[axis] * operand.stride[axis];
    neuron /= call.dims[axis];
  }
  return data[offset];
}

// A step of a bounded neuron whose initial state lies outside its domain is one of the general equation.
template <class Neuron, class S>
SNN_FUNCTION S first_step(S x, S* state, const S* parameter, const typename Neuron::template Constants<S>& constants,
                          const Clock& clock) {
  if constexpr (Neuron::kBounded)
    if (!Neuron::is_inside(state[0])) return Neuron::General::step(x, state, parameter, constants, clock);
  return Neuron::step(x, state, parameter, constants, clock);
}

template <class Neuron, class T>
SNN_FUNCTION void walk_neuron(const TemporalCall& call,
                              const typename Neuron::template Constants<typename Stored<T>::Arithmetic>& constants,
                              int64_t neuron) {
  using S = typename Stored<T>::Arithmetic;
  S state[Neuron::kStates ? Neuron::kStates : 1], parameter[Neuron::kParameters ? Neuron::kParameters : 1];
  for (int k = 0; k < Neuron::kStates; ++k) state[k] = read<S>(call.state[k], call, neuron);
  for (int k = 0; k < Neuron::kParameters; ++k)
    parameter[k] = Neuron::parameter(k, read<S>(call.parameter[k], call, neuron), constants);
  const int64_t first_neuron = call.first_sample ? *call.first_sample * call.neurons_per_sample : 0;
  Clock clock{call.first_step ? *call.first_step : 0, call.duration, first_neuron + neuron, 1};
  for (int64_t t = 0; t < call.duration && clock.last_digit > 0; ++t) clock.last_digit *= 0.5f;
  const T* __restrict__ current = static_cast<const T*>(call.current) + neuron;
  T* __restrict__ output = static_cast<T*>(call.output) + neuron;
  const auto keep = [&](S value, int64_t t) {
    if constexpr (!Neuron::kGivesLast) Stored<T>::store(value, output + t * call.output_step);
  };
  if constexpr (Neuron::kTakesMean) {
    S mean = 0;
    for (int64_t t = 0; t < call.n_steps; ++t) mean += Stored<T>::load(current + t * call.current_step);
    mean /= S(call.n_steps);
    for (int64_t t = 0; t < call.n_steps; ++t, ++clock.step)
      keep(Neuron::step(mean, state, parameter, constants, clock), t);
  } else {
    keep(first_step<Neuron, S>(Stored<T>::load(current), state, parameter, constants, clock), 0);
    ++clock.step;
    for (int64_t t = 1; t < call.n_steps; t += kAhead) {
      S x[kAhead];
#pragma unroll
      for (int k = 0; k < kAhead; ++k)
        if (t + k < call.n_steps) x[k] = Stored<T>::load(current + (t + k) * call.current_step);
#pragma unroll
      for (int k = 0; k < kAhead; ++k)
        if (t + k < call.n_steps) {
          keep(Neuron::step(x[k], state, parameter, constants, clock), t + k);
          ++clock.step;
        }
    }
  }
  if constexpr (Neuron::kGivesLast) Stored<T>::store(Neuron::last(state, clock.step), output);
  for (int k = 0; k < Neuron::kStates; ++k)
    if (call.final_state[k]) static_cast<S*>(call.final_state[k])[neuron] = state[k];
}

}  // namespace onnx_snn
