// How the CPU takes a block of neurons through time. This file is compiled once per instruction set (cpu/walk.cc), so
// everything in it lives in an unnamed namespace and no inline function of the standard library is called: the linker
// could otherwise keep the AVX-512 copy for all processors.
#pragma once
#include "cpu/dispatch.h"
#include "cpu/half.h"
#include "neurons.h"
#include "temporal.h"

namespace onnx_snn {
namespace {

// Neurons per block: their states, parameters and one row of currents stay in the L1/L2 cache over all time steps.
constexpr int kBlock = kNeuronsPerBlock;

template <class T>
struct Arithmetic {
  using type = T;
};
template <>
struct Arithmetic<Half> {
  using type = float;
};

// Copies the operand's values for neurons [begin, end) to `out`, run by run of the innermost axes.
template <class S>
void gather(const Operand& operand, const TemporalCall& call, int64_t begin, int64_t end, S* out) {
  const S* data = static_cast<const S*>(operand.data);
  if (operand.uniform || !data) {
    const S value = data ? data[0] : S(0);
    for (int64_t i = 0; i < end - begin; ++i) out[i] = value;
    return;
  }
  // The innermost axes over which the operand is either contiguous or repeated form one run.
  const int last = call.rank - 1;  // at least 0: with no axis longer than 1 every operand is uniform
  const int64_t inner_stride = operand.stride[last];
  int64_t run = call.dims[last];
  int axis = last - 1;
  while (axis >= 0 && operand.stride[axis] == inner_stride * run) run *= call.dims[axis--];
  for (int64_t i = begin; i < end;) {
    int64_t rest = i / run, within = i % run, offset = within * inner_stride;
    for (int a = axis; a >= 0; --a) {
      offset += rest % call.dims[a] * operand.stride[a];
      rest /= call.dims[a];
    }
    const int64_t count = run - within < end - i ? run - within : end - i;
    const S* source = data + offset;
    S* target = out + (i - begin);
    if (inner_stride == 0)
      for (int64_t k = 0; k < count; ++k) target[k] = source[0];
    else
      for (int64_t k = 0; k < count; ++k) target[k] = source[k];
    i += count;
  }
}

// A block's states and parameters.
template <class Neuron, class S>
struct Block {
  using Constants = typename Neuron::template Constants<S>;
  static constexpr int kParameters = Neuron::kParameters ? Neuron::kParameters : 1;  // C++ has no empty arrays
  static constexpr int kStates = Neuron::kStates ? Neuron::kStates : 1;

  int n;         // neurons in this block
  bool uniform;  // each parameter is one value for the whole block
  const Constants& constants;
  alignas(64) S state[kStates][kBlock];
  alignas(64) S parameter[kParameters][kBlock];

  Block(int n_neurons, const void* constants_of_kernel)
      : n(n_neurons), uniform(true), constants(*static_cast<const Constants*>(constants_of_kernel)) {}

  void load_state(int i, S* s) const {
    for (int k = 0; k < Neuron::kStates; ++k) s[k] = state[k][i];
  }
  void load_parameter(int i, S* p) const {
    for (int k = 0; k < Neuron::kParameters; ++k) p[k] = parameter[k][i];
  }
  void store_state(int i, const S* s) {
    for (int k = 0; k < Neuron::kStates; ++k) state[k][i] = s[k];
  }
};

// Never inlined: on its own, GCC vectorises it for every neuron.
template <class Neuron, class S>
__attribute__((noinline)) void step_block(const S* x, S* y, Block<Neuron, S>& block, const Clock& clock_of_block) {
  const auto constants = block.constants;
  const Clock first = clock_of_block;
#pragma GCC ivdep
  for (int i = 0; i < block.n; ++i) {
    S s[block.kStates], p[block.kParameters];
    block.load_state(i, s);
    block.load_parameter(i, p);
    y[i] = Neuron::step(x[i], s, p, constants, {first.step, first.n_steps, first.neuron + i, first.last_digit});
    block.store_state(i, s);
  }
}

// The same with the parameters in registers.
template <class Neuron, class S>
__attribute__((noinline)) void uniform_step_block(const S* x, S* y, Block<Neuron, S>& block, const Clock& clock_of_block) {
  const auto constants = block.constants;
  const Clock first = clock_of_block;
  S p[block.kParameters];
  block.load_parameter(0, p);
#pragma GCC ivdep
  for (int i = 0; i < block.n; ++i) {
    S s[block.kStates];
    block.load_state(i, s);
    y[i] = Neuron::step(x[i], s, p, constants, {first.step, first.n_steps, first.neuron + i, first.last_digit});
    block.store_state(i, s);
  }
}

// Only an initial state can lie outside the domain of a bounded neuron's step.
template <class Neuron, class S>
inline bool all_inside(const Block<Neuron, S>& block) {
  bool inside = true;
  if constexpr (Neuron::kBounded)
    for (int i = 0; i < block.n; ++i) inside &= Neuron::is_inside(block.state[0][i]);
  return inside;
}

// A step of a block with neurons outside: these take the general equation, the others do not notice, so a neuron's
// result never depends on its neighbours.
template <class Neuron, class S>
inline void general_step_block(const S* x, S* y, Block<Neuron, S>& block, const Clock& clock) {
  if constexpr (Neuron::kBounded)
    for (int i = 0; i < block.n; ++i) {
      S s[block.kStates], p[block.kParameters];
      block.load_state(i, s);
      block.load_parameter(i, p);
      y[i] = Neuron::is_inside(s[0]) ? Neuron::step(x[i], s, p, block.constants, clock)
                                     : Neuron::General::step(x[i], s, p, block.constants, clock);
      block.store_state(i, s);
    }
}

template <class T, class S>
inline void load_row(const T* in, S* out, int n) {
  if constexpr (sizeof(T) == sizeof(S))
    for (int i = 0; i < n; ++i) out[i] = in[i];
  else
    to_float(in, out, n);
}

// The mean over all steps of the currents of neurons [begin, begin + n).
template <class T, class S>
void mean_row(const TemporalCall& call, int64_t begin, int n, S* mean, S* row) {
  for (int i = 0; i < n; ++i) mean[i] = S(0);
  for (int64_t t = 0; t < call.n_steps; ++t) {
    load_row(static_cast<const T*>(call.current) + t * call.current_step + begin, row, n);
    for (int i = 0; i < n; ++i) mean[i] += row[i];
  }
  for (int i = 0; i < n; ++i) mean[i] /= S(call.n_steps);
}

// Takes neurons [begin, end), at most kBlock of them, through all time steps of the call.
template <class Neuron, class T>
void walk(const TemporalCall& call, const void* constants, int64_t begin, int64_t end) {
  using S = typename Arithmetic<T>::type;
  constexpr bool kConvert = sizeof(S) != sizeof(T);
  alignas(64) S x_row[kConvert || Neuron::kTakesMean ? kBlock : 1], y_row[kConvert || Neuron::kTakesMean ? kBlock : 1];
  Block<Neuron, S> block(static_cast<int>(end - begin), constants);
  for (int k = 0; k < Neuron::kStates; ++k) gather(call.state[k], call, begin, end, block.state[k]);
  for (int k = 0; k < Neuron::kParameters; ++k) {
    gather(call.parameter[k], call, begin, end, block.parameter[k]);
    for (int i = 0; i < block.n; ++i)
      block.parameter[k][i] = Neuron::parameter(k, block.parameter[k][i], block.constants);
    block.uniform &= call.parameter[k].uniform;
  }
  if constexpr (Neuron::kTakesMean) mean_row<T>(call, begin, block.n, x_row, y_row);
  const bool inside = all_inside(block);
  const int64_t first_neuron = (call.first_sample ? *call.first_sample * call.neurons_per_sample : 0) + begin;
  Clock clock{call.first_step ? *call.first_step : 0, call.duration, first_neuron, 1};
  for (int64_t t = 0; t < call.duration && clock.last_digit > 0; ++t) clock.last_digit *= 0.5f;
  for (int64_t t = 0; t < call.n_steps; ++t, ++clock.step) {
    const T* current = static_cast<const T*>(call.current) + t * call.current_step + begin;
    T* output = static_cast<T*>(call.output) + t * call.output_step + begin;
    const S* x = x_row;
    S* y = y_row;
    if constexpr (!kConvert) y = output;
    if constexpr (!kConvert && !Neuron::kTakesMean) x = current;
    if constexpr (kConvert && !Neuron::kTakesMean)
      if (t == 0 || call.current_step != 0) to_float(current, x_row, block.n);
    if (t == 0 && !inside)
      general_step_block(x, y, block, clock);
    else if (block.uniform)
      uniform_step_block(x, y, block, clock);
    else
      step_block(x, y, block, clock);
    if constexpr (kConvert) to_half(y_row, output, block.n);
  }
  for (int k = 0; k < Neuron::kStates; ++k)
    if (S* out = static_cast<S*>(call.final_state[k]))
      for (int i = 0; i < block.n; ++i) out[begin + i] = block.state[k][i];
}

}  // namespace
}  // namespace onnx_snn
