// How a GPU takes neurons through time, their states and parameters in registers from the first step to the last. A thread has
// kNeurons neighbours, and neighbouring threads have neighbouring groups, so every step is one coalesced read and one coalesced
// write (one in all, where only the last counts); the reads of kAhead steps are under way at once. nvcc (cuda/walk.cu)
// and NVRTC (snn_ops/cupy_ops.py) compile this; the host compiler does in tests.
#pragma once
#include "neurons.h"
#include "temporal.h"

namespace onnx_snn {

constexpr int kAhead = 4;

// Neurons of a thread where their number and addresses allow it: 16 bytes of float32 are one instruction, and with kAhead of
// them under way a few threads keep the memory busy. Four for float16, too: eight would take twice the registers.
// Where a step is long, arithmetic is the limit and not memory, and 4 x kAhead copies of it would not fit the instruction
// cache.
template <class Neuron>
constexpr int kGroup = 4;
template <>
constexpr int kGroup<LIF> = 1;
template <>
constexpr int kGroup<Adaptive<LIF>> = 1;
template <>
constexpr int kGroup<PoissonSpiking> = 1;

// How currents of type T lie in memory, and the type in which an operator computes on them.
template <class T>
struct Stored {
  using Arithmetic = T;
  static SNN_FUNCTION T load(const T* in) { return *in; }
  static SNN_FUNCTION void store(T value, T* out) { *out = value; }
};

// Values of neighbouring neurons, read and written at once.
template <class T, int kNeurons>
struct alignas(sizeof(T) * kNeurons) Group {
  T value[kNeurons];
};

template <int kNeurons, class T, class S>
SNN_FUNCTION void load(const T* in, S (&out)[kNeurons]) {
  const Group<T, kNeurons> group = *reinterpret_cast<const Group<T, kNeurons>*>(in);
#pragma unroll
  for (int i = 0; i < kNeurons; ++i) out[i] = Stored<T>::load(&group.value[i]);
}

template <int kNeurons, class T, class S>
SNN_FUNCTION void store(const S (&values)[kNeurons], T* out) {
  Group<T, kNeurons> group;
#pragma unroll
  for (int i = 0; i < kNeurons; ++i) Stored<T>::store(values[i], &group.value[i]);
  *reinterpret_cast<Group<T, kNeurons>*>(out) = group;
}

// The operand's values for the neurons from `first` on.
template <int kNeurons, class S>
SNN_FUNCTION void read(const Operand& operand, int64_t n_neurons, int64_t first, S (&out)[kNeurons]) {
  const S* data = static_cast<const S*>(operand.data);
  if (!data || operand.n_axes == 0) {
    const S value = data ? data[0] : S(0);
#pragma unroll
    for (int i = 0; i < kNeurons; ++i) out[i] = value;
  } else if (operand.axis[0].length == n_neurons) {
    load<kNeurons>(data + first, out);
  } else {
    int64_t offset[kNeurons] = {};
    for (int a = 0; a < operand.n_axes; ++a) {  // divides once for all neurons of the thread
      const Axis& axis = operand.axis[a];
      int64_t place = first / axis.inner, within = first - place * axis.inner;
      place %= axis.length;
#pragma unroll
      for (int i = 0; i < kNeurons; ++i) {
        offset[i] += place * axis.stride;
        if (++within == axis.inner) {
          within = 0;
          place = place + 1 == axis.length ? 0 : place + 1;
        }
      }
    }
#pragma unroll
    for (int i = 0; i < kNeurons; ++i) out[i] = data[offset[i]];
  }
}

// Calls take(x, t) with the currents x of each step, from step t on.
template <int kNeurons, class S, class T, class Take>
SNN_FUNCTION void for_each_step(const TemporalCall& call, const T* current, int64_t t, const Take& take) {
  current += t * call.current_step;
#pragma unroll 1
  for (; t + kAhead <= call.n_steps; t += kAhead) {
    S x[kAhead][kNeurons];
#pragma unroll
    for (int k = 0; k < kAhead; ++k, current += call.current_step) load<kNeurons>(current, x[k]);
#pragma unroll
    for (int k = 0; k < kAhead; ++k) take(x[k], t + k);
  }
#pragma unroll 1
  for (; t < call.n_steps; ++t, current += call.current_step) {
    S x[kNeurons];
    load<kNeurons>(current, x);
    take(x, t);
  }
}

// kNeurons neurons from `first` on, which kernels start with kNeurons = kGroup<Neuron> or 1. More than one: all rows, operands
// and final states begin at addresses that are multiples of a Group, and first is a multiple of kNeurons.
template <class Neuron, class T, int kNeurons>
SNN_FUNCTION void walk_neurons(const TemporalCall& call,
                               const typename Neuron::template Constants<typename Stored<T>::Arithmetic>& constants,
                               int64_t first) {
  using S = typename Stored<T>::Arithmetic;
  constexpr int kStates = Neuron::kStates ? Neuron::kStates : 1, kParameters = Neuron::kParameters ? Neuron::kParameters : 1;
  S state[kNeurons][kStates], parameter[kNeurons][kParameters], x[kNeurons], y[kNeurons];
#pragma unroll
  for (int k = 0; k < Neuron::kStates; ++k) {
    read<kNeurons>(call.state[k], call.n_neurons, first, x);
#pragma unroll
    for (int i = 0; i < kNeurons; ++i) state[i][k] = x[i];
  }
#pragma unroll
  for (int k = 0; k < Neuron::kParameters; ++k) {
    read<kNeurons>(call.parameter[k], call.n_neurons, first, x);
#pragma unroll
    for (int i = 0; i < kNeurons; ++i) parameter[i][k] = Neuron::parameter(k, x[i], constants);
  }
  const int64_t first_step = call.first_step ? *call.first_step : 0;
  // Other threads may still have to read first_step, so it is not overwritten here.
  if (first == 0 && call.last_step && call.last_step != call.first_step) *call.last_step = first_step + call.n_steps;
  const int64_t first_neuron = (call.first_sample ? *call.first_sample * call.neurons_per_sample : 0) + first;
  const float last_digit = math::half_to(call.duration);
  const T* __restrict__ current = static_cast<const T*>(call.current) + first;
  T* __restrict__ output = static_cast<T*>(call.output) + first;
  const auto clock = [&](int64_t t, int i) { return Clock{first_step + t, call.duration, first_neuron + i, last_digit}; };
  const auto step = [&](const S(&x)[kNeurons], int64_t t) {
#pragma unroll
    for (int i = 0; i < kNeurons; ++i) y[i] = Neuron::step(x[i], state[i], parameter[i], constants, clock(t, i));
    if constexpr (Neuron::kHasBases)
      if (sums::is_due(first_step + t + 1)) {
#pragma unroll
        for (int i = 0; i < kNeurons; ++i) Neuron::rebase(state[i], parameter[i]);
      }
  };
  const auto step_and_store = [&](const S(&x)[kNeurons], int64_t t) {
    step(x, t);
    store<kNeurons>(y, output);
    output += call.output_step;
  };
  int64_t t = Neuron::kTakesLast ? call.n_steps - 1 : 0;
  if constexpr (Neuron::kBounded) {
    // A step of a bounded neuron whose initial state lies outside its domain is one of the general equation.
    bool inside = true;
#pragma unroll
    for (int i = 0; i < kNeurons; ++i) inside &= Neuron::is_inside(state[i][0]);
    if (!inside) {
      load<kNeurons>(current, x);
#pragma unroll
      for (int i = 0; i < kNeurons; ++i)
        y[i] = Neuron::is_inside(state[i][0]) ? Neuron::step(x[i], state[i], parameter[i], constants, clock(t, i))
                                              : Neuron::General::step(x[i], state[i], parameter[i], constants, clock(t, i));
      store<kNeurons>(y, output);
      output += call.output_step;
      t = 1;
    }
  }
  if constexpr (Neuron::kTakesMean) {
    S mean[kNeurons] = {};
    for_each_step<kNeurons, S>(call, current, 0, [&](const S(&x)[kNeurons], int64_t) {
#pragma unroll
      for (int i = 0; i < kNeurons; ++i) mean[i] += x[i];
    });
#pragma unroll
    for (int i = 0; i < kNeurons; ++i) mean[i] /= S(call.n_steps);
    for (; t < call.n_steps; ++t) step_and_store(mean, t);
  } else if constexpr (Neuron::kGivesLast) {
    for_each_step<kNeurons, S>(call, current, t, step);
#pragma unroll
    for (int i = 0; i < kNeurons; ++i) y[i] = Neuron::last(state[i], first_step + call.n_steps);
    store<kNeurons>(y, output);
  } else {
    for_each_step<kNeurons, S>(call, current, t, step_and_store);
  }
#pragma unroll
  for (int k = 0; k < Neuron::kStates; ++k)
    if (call.final_state[k]) {
#pragma unroll
      for (int i = 0; i < kNeurons; ++i) x[i] = state[i][k];
      store<kNeurons>(x, static_cast<S*>(call.final_state[k]) + first);
    }
}

}  // namespace onnx_snn
