// How the CPU takes a block of neurons through time. This file is compiled once per instruction set (cpu/walk.cc), so
// everything in it lives in an unnamed namespace and no inline function of the standard library is called: the linker
// could otherwise keep the AVX-512 copy for all processors.
#pragma once
#include "cpu/dispatch.h"
#include "cpu/half.h"
#include "cpu/memory.h"
#include "neurons.h"
#include "temporal.h"

namespace onnx_snn {
namespace {

// Neurons per block: their states and parameters stay in the L1/L2 cache over all time steps.
constexpr int kBlock = kNeuronsPerBlock;

// Neurons per tile, the piece of a block that takes one step at a time: its currents and spikes stay in the L1 cache
// while the tile's currents of the next step are on their way, few enough at once for the cache to have them all in flight.
constexpr int kTile = 128;

template <class T>
struct Arithmetic {
  using type = T;
};
template <>
struct Arithmetic<Half> {
  using type = float;
};

// Copies the operand's values for neurons [begin, end) to `out`, run by run of the neurons along which it either changes with
// each or stays.
template <class S>
void gather(const Operand& operand, int64_t begin, int64_t end, S* out) {
  const S* data = static_cast<const S*>(operand.data);
  if (operand.n_axes == 0 || !data) {
    const S value = data ? data[0] : S(0);
    for (int64_t i = 0; i < end - begin; ++i) out[i] = value;
    return;
  }
  const bool stays = operand.axis[0].inner > 1;
  const int64_t run = stays ? operand.axis[0].inner : operand.axis[0].length;
  for (int64_t i = begin; i < end;) {
    int64_t offset = 0;
    for (int a = 0; a < operand.n_axes; ++a) {
      const Axis& axis = operand.axis[a];
      offset += i / axis.inner % axis.length * axis.stride;
    }
    const int64_t within = i % run, count = run - within < end - i ? run - within : end - i;
    const S* source = data + offset;
    S* target = out + (i - begin);
    if (stays)
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

  int n;           // neurons in this block
  bool uniform;    // each parameter is one value for the whole block
  bool has_bases;  // a base is not 0, and steps need it
  const Constants& constants;
  // Of the sum in state k, at k + 1: in state k + 1, or where they came from if nothing is rebased in this call.
  const S* base[kStates];
  alignas(64) S state[kStates][kBlock];
  alignas(64) S parameter[kParameters][kBlock];

  Block(int n_neurons, const void* constants_of_kernel)
      : n(n_neurons), uniform(true), has_bases(false), constants(*static_cast<const Constants*>(constants_of_kernel)) {}

  static constexpr bool is_base(int k) { return Neuron::kHasBases && k % 2; }
  void load_state(int i, S* s) const {
    for (int k = 0; k < Neuron::kStates; ++k) s[k] = is_base(k) ? S(0) : state[k][i];
  }
  void load_parameter(int i, S* p) const {
    for (int k = 0; k < Neuron::kParameters; ++k) p[k] = parameter[k][i];
  }
  // After a step, which changes no base.
  void store_state(int i, const S* s) {
    for (int k = 0; k < Neuron::kStates; ++k)
      if (!is_base(k)) state[k][i] = s[k];
  }
};

template <class S>
inline bool any_other_than_0(const S* values, int n) {
  int found = 0;
  for (int i = 0; i < n; ++i) found |= values[i] != S(0);
  return found;
}

// The bases of neurons [begin, end). Where none changes in this call, an array of them is read where it lies and handed on at
// once.
template <class Neuron, class S>
void gather_bases(const TemporalCall& call, bool rebases, int64_t begin, int64_t end, Block<Neuron, S>& block) {
  for (int k = 1; k < Neuron::kStates; k += 2) {
    const Operand& operand = call.state[k];
    const bool is_array = operand.n_axes == 1 && operand.axis[0].length == call.n_neurons;
    if (rebases || !is_array || !operand.data) {
      gather(operand, begin, end, block.state[k]);
      block.base[k] = block.state[k];
    } else {
      block.base[k] = static_cast<const S*>(operand.data) + begin;
      if (S* out = static_cast<S*>(call.final_state[k])) __builtin_memmove(out + begin, block.base[k], sizeof(S) * block.n);
    }
    if constexpr (!Neuron::kGivesLast) block.has_bases |= any_other_than_0(block.base[k], operand.n_axes ? block.n : 1);
  }
}

// Parameter k of neurons [begin, end), made ready.
template <class Neuron, class S>
void gather_parameter(int k, const TemporalCall& call, int64_t begin, int64_t end, Block<Neuron, S>& block) {
  S* values = block.parameter[k];
  gather(call.parameter[k], begin, end, values);
  if (call.parameter[k].n_axes == 0) {
    const S value = Neuron::parameter(k, values[0], block.constants);
    for (int i = 0; i < block.n; ++i) values[i] = value;
  } else {
    for (int i = 0; i < block.n; ++i) values[i] = Neuron::parameter(k, values[i], block.constants);
    block.uniform = false;
  }
}

// The first stage of a step, of neurons that have stages. A stage is a chain of half the length of a step's, and a processor
// has twice as many of them under way at once.
// Never inlined, as the next one: on its own, GCC vectorises it for every neuron.
template <class Neuron, class S>
__attribute__((noinline)) void integrate_tile(const S* x, S* voltage, const Block<Neuron, S>& block, int first, int n) {
  const auto constants = block.constants;
#pragma GCC ivdep
  for (int i = 0; i < n; ++i) {
    S s[block.kStates];
    block.load_state(first + i, s);
    voltage[i] = Neuron::integrate(x[i], s, constants);
  }
}

// What is left of a step. y: the voltage, of neurons that have stages.
template <bool kWhole, class Neuron, class S, class Constants>
inline S finish_step(S x, S y, S* state, const S* parameter, const Constants& constants, const Clock& clock) {
  if constexpr (Neuron::kHasStages)
    return Neuron::template fire<kWhole>(x, y, state, parameter, constants);
  else if constexpr (Neuron::kHasBases || Neuron::kDecays)
    return Neuron::template step<kWhole>(x, state, parameter, constants, clock);
  else
    return Neuron::step(x, state, parameter, constants, clock);
}

// A step of the n neurons from `first` on, whose currents and outputs are x and y. kUniform: with the parameters in registers.
// Not kWhole: all bases are 0, or nothing is too small for a state: the shorter step gives the same.
template <bool kUniform, bool kWhole, class Neuron, class S>
__attribute__((noinline)) void step_tile(const S* x, S* y, Block<Neuron, S>& block, int first, int n,
                                         const Clock& clock_of_tile) {
  const auto constants = block.constants;
  const Clock clock = clock_of_tile;
  S shared[block.kParameters];
  block.load_parameter(0, shared);
  const S* bases[block.kStates];
  for (int k = 0; k < Neuron::kStates; ++k) bases[k] = block.is_base(k) ? block.base[k] + first : nullptr;
#pragma GCC ivdep
  for (int i = 0; i < n; ++i) {
    S s[block.kStates], own[block.kParameters];
    block.load_state(first + i, s);
    if (kWhole && Neuron::kHasBases)
      for (int k = 1; k < Neuron::kStates; k += 2) s[k] = bases[k][i];
    if (!kUniform) block.load_parameter(first + i, own);
    const S output = finish_step<kWhole, Neuron>(x[i], y[i], s, kUniform ? shared : own, constants,
                                         {clock.step, clock.n_steps, clock.neuron + i, clock.last_digit});
    if constexpr (!Neuron::kGivesLast) y[i] = output;
    block.store_state(first + i, s);
  }
}

// The loop for a block as it is.
template <class Neuron, class S>
inline auto step_of(Block<Neuron, S>& block) {
  bool whole = false;
  if constexpr (Neuron::kHasBases) whole = block.has_bases;
  if constexpr (Neuron::kDecays) whole = block.constants.smallest > S(0);
  if constexpr (Neuron::kHasBases || Neuron::kDecays)
    if (whole) return block.uniform ? step_tile<true, true, Neuron, S> : step_tile<false, true, Neuron, S>;
  return block.uniform ? step_tile<true, false, Neuron, S> : step_tile<false, false, Neuron, S>;
}

// Only an initial state can lie outside the domain of a bounded neuron's step.
template <class Neuron, class S>
inline bool all_inside(const Block<Neuron, S>& block) {
  bool inside = true;
  if constexpr (Neuron::kBounded)
    for (int i = 0; i < block.n; ++i) inside &= Neuron::is_inside(block.state[0][i]);
  return inside;
}

// A step with neurons outside: these take the general equation, the others do not notice, so a neuron's result never
// depends on its neighbours.
template <class Neuron, class S>
inline void general_step_tile(const S* x, S* y, Block<Neuron, S>& block, int first, int n, const Clock& clock) {
  if constexpr (Neuron::kBounded)
    for (int i = 0; i < n; ++i) {
      S s[block.kStates], p[block.kParameters];
      block.load_state(first + i, s);
      block.load_parameter(first + i, p);
      y[i] = Neuron::is_inside(s[0]) ? Neuron::step(x[i], s, p, block.constants, clock)
                                     : Neuron::General::step(x[i], s, p, block.constants, clock);
      block.store_state(first + i, s);
    }
}

// Never inlined, as step_tile.
template <class Neuron, class S>
__attribute__((noinline)) void rebase_block(Block<Neuron, S>& block) {
#pragma GCC ivdep
  for (int i = 0; i < block.n; ++i) {
    S s[block.kStates], p[block.kParameters];
    for (int k = 0; k < Neuron::kStates; ++k) s[k] = block.state[k][i];
    block.load_parameter(i, p);
    Neuron::rebase(s, p);
    for (int k = 0; k < Neuron::kStates; ++k) block.state[k][i] = s[k];
  }
  if constexpr (!Neuron::kGivesLast)
    for (int k = 1; k < Neuron::kStates; k += 2) block.has_bases |= any_other_than_0(block.state[k], block.n);
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

// The output of neurons that give one only after the last step.
template <class Neuron, class T, class S>
void give_last(const Block<Neuron, S>& block, int64_t steps, T* outputs) {
  alignas(64) S tile[kTile];
  const S* base = Neuron::kHasBases ? block.base[1] : nullptr;
  for (int first = 0; first < block.n; first += kTile) {
    const int n = block.n - first < kTile ? block.n - first : kTile;
#pragma GCC ivdep
    for (int i = 0; i < n; ++i) {
      S s[block.kStates];
      block.load_state(first + i, s);
      if constexpr (Neuron::kHasBases) s[1] = base[first + i];
      tile[i] = Neuron::last(s, steps);
    }
    if constexpr (sizeof(S) != sizeof(T))
      to_half(tile, outputs + first, n);
    else
      for (int i = 0; i < n; ++i) outputs[first + i] = tile[i];
  }
}

// Takes neurons [begin, end), at most kBlock of them, through all time steps of the call.
template <class Neuron, class T>
void walk(const TemporalCall& call, const void* constants, int64_t begin, int64_t end) {
  using S = typename Arithmetic<T>::type;
  constexpr bool kConvert = sizeof(S) != sizeof(T);
  alignas(64) S mean[Neuron::kTakesMean ? kBlock : 1], row[Neuron::kTakesMean ? kBlock : 1];
  alignas(64) S x_tile[kConvert ? kTile : 1], y_tile[kConvert ? kTile : 1];
  alignas(64) T spikes[kTile];
  Block<Neuron, S> block(static_cast<int>(end - begin), constants);
  const int64_t first_step = call.first_step ? *call.first_step : 0;
  for (int k = 0; k < Neuron::kStates; ++k)
    if (!block.is_base(k)) gather(call.state[k], begin, end, block.state[k]);
  if constexpr (Neuron::kHasBases) gather_bases(call, sums::is_due_within(first_step, call.n_steps), begin, end, block);
  for (int k = 0; k < Neuron::kParameters; ++k) gather_parameter(k, call, begin, end, block);
  if constexpr (Neuron::kTakesMean) mean_row<T>(call, begin, block.n, mean, row);
  const bool inside = all_inside(block);
  const bool stream =
      !Neuron::kGivesLast && call.output_step * call.n_steps * static_cast<int64_t>(sizeof(T)) > kLargestCachedOutput;
  const int64_t first_neuron = (call.first_sample ? *call.first_sample * call.neurons_per_sample : 0) + begin;
  Clock clock{first_step, call.duration, first_neuron, math::half_to(call.duration)};
  auto step = step_of(block);
  for (int64_t t = Neuron::kTakesLast ? call.n_steps - 1 : 0; t < call.n_steps; ++t, ++clock.step) {
    const T* currents = static_cast<const T*>(call.current) + t * call.current_step + begin;
    T* outputs = static_cast<T*>(call.output) + t * call.output_step + begin;
    for (int first = 0; first < block.n; first += kTile) {
      const int n = block.n - first < kTile ? block.n - first : kTile;
      if (t + 1 < call.n_steps) prefetch(currents + call.current_step + first, n);
      T* target = stream ? spikes : outputs + first;
      const S* x = x_tile;
      S* y = y_tile;
      if constexpr (Neuron::kTakesMean)
        x = mean + first;
      else if constexpr (kConvert)
        to_float(currents + first, x_tile, n);
      else
        x = currents + first;
      if constexpr (!kConvert) y = target;
      clock.neuron = first_neuron + first;
      if (t == 0 && !inside) {
        general_step_tile(x, y, block, first, n, clock);
      } else {
        if constexpr (Neuron::kHasStages) integrate_tile(x, y, block, first, n);
        step(x, y, block, first, n, clock);
      }
      if constexpr (kConvert && !Neuron::kGivesLast) to_half(y_tile, target, n);
      if (stream) store_past_cache(spikes, outputs + first, n);
    }
    if constexpr (Neuron::kHasBases)
      if (sums::is_due(clock.step + 1)) {
        rebase_block(block);
        step = step_of(block);
      }
  }
  if (stream) finish_stores();
  if constexpr (Neuron::kGivesLast) give_last(block, clock.step, static_cast<T*>(call.output) + begin);
  for (int k = 0; k < Neuron::kStates; ++k)
    if (S* out = static_cast<S*>(call.final_state[k]))
      if (!block.is_base(k) || block.base[k] == block.state[k])
        for (int i = 0; i < block.n; ++i) out[begin + i] = block.state[k][i];
}

}  // namespace
}  // namespace onnx_snn
