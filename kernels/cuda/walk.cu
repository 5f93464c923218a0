// How a GPU takes neurons through time: a thread per neuron, its state and parameters in registers from the first step to
// the last. Neighbouring threads are neighbouring neurons, so every step is one coalesced read and one coalesced write;
// the reads of the next kAhead steps are under way while a step is computed.
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include "cuda/walk.h"
#include "neurons.h"

namespace onnx_snn {
namespace {

constexpr int kThreads = 256;
constexpr int kAhead = 4;

__device__ __forceinline__ float to_float(float x) { return x; }
__device__ __forceinline__ float to_float(__half x) { return __half2float(x); }
__device__ __forceinline__ void store(float value, float* out) { *out = value; }
__device__ __forceinline__ void store(float value, __half* out) { *out = __float2half_rn(value); }

__device__ __forceinline__ float read(const Operand& operand, const TemporalCall& call, int64_t neuron) {
  const float* data = static_cast<const float*>(operand.data);
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
template <class Neuron>
__device__ __forceinline__ float first_step(float x, float* state, const float* parameter,
                                            const typename Neuron::template Constants<float>& constants, const Clock& clock) {
  if constexpr (Neuron::kBounded)
    if (!Neuron::is_inside(state[0])) return Neuron::General::step(x, state, parameter, constants, clock);
  return Neuron::step(x, state, parameter, constants, clock);
}

template <class Neuron, class T>
__global__ void walk(const TemporalCall call, const typename Neuron::template Constants<float> constants) {
  const int64_t neuron = int64_t(blockIdx.x) * kThreads + threadIdx.x;
  if (neuron >= call.n_neurons) return;
  float state[Neuron::kStates ? Neuron::kStates : 1], parameter[Neuron::kParameters ? Neuron::kParameters : 1];
  for (int k = 0; k < Neuron::kStates; ++k) state[k] = read(call.state[k], call, neuron);
  for (int k = 0; k < Neuron::kParameters; ++k)
    parameter[k] = Neuron::parameter(k, read(call.parameter[k], call, neuron), constants);
  const int64_t first_neuron = call.first_sample ? *call.first_sample * call.neurons_per_sample : 0;
  Clock clock{call.first_step ? *call.first_step : 0, call.duration, first_neuron + neuron, 1};
  for (int64_t t = 0; t < call.duration && clock.last_digit > 0; ++t) clock.last_digit *= 0.5f;
  const T* current = static_cast<const T*>(call.current) + neuron;
  T* output = static_cast<T*>(call.output) + neuron;
  if constexpr (Neuron::kTakesMean) {
    float mean = 0;
    for (int64_t t = 0; t < call.n_steps; ++t) mean += to_float(current[t * call.current_step]);
    mean /= float(call.n_steps);
    for (int64_t t = 0; t < call.n_steps; ++t, ++clock.step)
      store(Neuron::step(mean, state, parameter, constants, clock), output + t * call.output_step);
  } else {
    store(first_step<Neuron>(to_float(current[0]), state, parameter, constants, clock), output);
    ++clock.step;
    for (int64_t t = 1; t < call.n_steps; t += kAhead) {
      float x[kAhead];
#pragma unroll
      for (int k = 0; k < kAhead; ++k)
        if (t + k < call.n_steps) x[k] = to_float(current[(t + k) * call.current_step]);
#pragma unroll
      for (int k = 0; k < kAhead; ++k)
        if (t + k < call.n_steps) {
          store(Neuron::step(x[k], state, parameter, constants, clock), output + (t + k) * call.output_step);
          ++clock.step;
        }
    }
  }
  for (int k = 0; k < Neuron::kStates; ++k)
    if (call.final_state[k]) static_cast<float*>(call.final_state[k])[neuron] = state[k];
}

__global__ void count_steps(const int64_t* first, int64_t* last, int64_t n_steps) { *last = *first + n_steps; }

template <class T>
__global__ void repeat(const T* x, T* y, int64_t n_steps, int64_t n) {
  const int64_t i = int64_t(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= n) return;
  const T value = x[i];
  for (int64_t t = 0; t < n_steps; ++t) y[t * n + i] = value;
}

unsigned blocks(int64_t n) { return unsigned((n + kThreads - 1) / kThreads); }

const char* launch_error() {
  const cudaError_t error = cudaGetLastError();
  return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
}

template <class Neuron>
void launch(Element element, const TemporalCall& call, const void* constants, cudaStream_t stream) {
  const auto& c = *static_cast<const typename Neuron::template Constants<float>*>(constants);
  if (element == Element::kFloat16)
    walk<Neuron, __half><<<blocks(call.n_neurons), kThreads, 0, stream>>>(call, c);
  else
    walk<Neuron, float><<<blocks(call.n_neurons), kThreads, 0, stream>>>(call, c);
}

}  // namespace

const char* cuda_walk(Variant variant, Element element, const TemporalCall& call, const void* constants, void* stream) {
  switch (variant) {
#define SNN_CASE(name, type)                                                          \
  case Variant::name:                                                                 \
    launch<type>(element, call, constants, static_cast<cudaStream_t>(stream));        \
    break;
    SNN_VARIANTS(SNN_CASE)
#undef SNN_CASE
  }
  return launch_error();
}

const char* cuda_count_steps(const TemporalCall& call, void* stream) {
  count_steps<<<1, 1, 0, static_cast<cudaStream_t>(stream)>>>(call.first_step, call.last_step, call.n_steps);
  return launch_error();
}

const char* cuda_repeat(Element element, const void* x, void* y, int64_t n_steps, int64_t n, void* raw_stream) {
  const auto stream = static_cast<cudaStream_t>(raw_stream);
  if (element == Element::kFloat16)
    repeat<<<blocks(n), kThreads, 0, stream>>>(static_cast<const __half*>(x), static_cast<__half*>(y), n_steps, n);
  else
    repeat<<<blocks(n), kThreads, 0, stream>>>(static_cast<const float*>(x), static_cast<float*>(y), n_steps, n);
  return launch_error();
}

}  // namespace onnx_snn
