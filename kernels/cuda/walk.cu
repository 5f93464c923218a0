// The neurons of an operator on a GPU: a thread for a few neighbours (cuda/walk_neuron.h). Kernels are started by a call, not
// by <<< >>>, so that a host compiler takes this file, too (tools/gpu_rehearsal).
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <initializer_list>

#include "cuda/walk.h"
#include "cuda/walk_neuron.h"

namespace onnx_snn {

template <>
struct Stored<__half> {
  using Arithmetic = float;
  static __device__ __forceinline__ float load(const __half* in) { return __half2float(*in); }
  static __device__ __forceinline__ void store(float value, __half* out) { *out = __float2half_rn(value); }
};

namespace {

constexpr int kThreads = 128;  // of a block: few, so that the blocks of a small layer still reach many multiprocessors

template <class Neuron, class T, int kNeurons>
__global__ void walk(const TemporalCall call,
                     const typename Neuron::template Constants<typename Stored<T>::Arithmetic> constants) {
  const int64_t first = (int64_t(blockIdx.x) * kThreads + threadIdx.x) * kNeurons;
  if (first < call.n_neurons) walk_neurons<Neuron, T, kNeurons>(call, constants, first);
}

__global__ void count_steps(const int64_t* first, int64_t* last, int64_t n_steps) {
  if (threadIdx.x == 0) *last = *first + n_steps;
}

template <class Values>
__global__ void repeat(const Values* x, Values* y, int64_t n_steps, int64_t n) {
  const int64_t i = int64_t(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= n) return;
  const Values values = x[i];
  for (int64_t t = 0; t < n_steps; ++t) y[t * n + i] = values;
}

// A thread for each of n; null, or what went wrong.
template <class... Parameters>
const char* launch(void (*kernel)(Parameters...), int64_t n, void* stream, Parameters... arguments) {
  cudaLaunchConfig_t shape{};
  shape.gridDim = dim3(unsigned((n + kThreads - 1) / kThreads));
  shape.blockDim = dim3(kThreads);
  shape.stream = static_cast<cudaStream_t>(stream);
  const cudaError_t error = cudaLaunchKernelEx(&shape, kernel, arguments...);
  return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
}

bool is_aligned(const void* p, size_t bytes) { return reinterpret_cast<uintptr_t>(p) % bytes == 0; }

// Whether threads may take `group` neurons each: every step's row and every array of a value per neuron is one of Groups.
template <class T>
bool divides(int group, const TemporalCall& call) {
  const size_t row = sizeof(T) * group, values = sizeof(typename Stored<T>::Arithmetic) * group;
  bool all = is_aligned(call.current, row) && is_aligned(call.output, row);
  for (int64_t neurons : {call.n_neurons, call.current_step, call.output_step}) all &= neurons % group == 0;
  const auto check = [&](const Operand& operand) {
    all &= operand.n_axes == 0 || operand.axis[0].length != call.n_neurons || is_aligned(operand.data, values);
  };
  for (const Operand& operand : call.parameter) check(operand);
  for (const Operand& operand : call.state) check(operand);
  for (const void* state : call.final_state) all &= is_aligned(state, values);
  return all;
}

template <class Neuron, class T>
const char* launch_walk(const TemporalCall& call, const void* constants, void* stream) {
  constexpr int kNeurons = kGroup<Neuron>;
  const auto& c = *static_cast<const typename Neuron::template Constants<float>*>(constants);
  if (!divides<T>(kNeurons, call)) return launch(walk<Neuron, T, 1>, call.n_neurons, stream, call, c);
  return launch(walk<Neuron, T, kNeurons>, call.n_neurons / kNeurons, stream, call, c);
}

template <class Values>
const char* launch_repeat(const void* x, void* y, int64_t n_steps, int64_t n, void* stream) {
  return launch(repeat<Values>, n, stream, static_cast<const Values*>(x), static_cast<Values*>(y), n_steps, n);
}

}  // namespace

const char* cuda_walk(Variant variant, Element element, const TemporalCall& call, const void* constants, void* stream) {
  switch (variant) {
#define SNN_CASE(name, type) \
  case Variant::name:        \
    return element == Element::kFloat16 ? launch_walk<type, __half>(call, constants, stream) \
                                        : launch_walk<type, float>(call, constants, stream);
    SNN_VARIANTS(SNN_CASE)
#undef SNN_CASE
  }
  return "no such neuron";
}

const char* cuda_count_steps(const TemporalCall& call, void* stream) {
  if (!call.last_step || (call.n_neurons && call.last_step != call.first_step)) return nullptr;
  return launch(count_steps, 1, stream, call.first_step, call.last_step, call.n_steps);
}

const char* cuda_repeat(Element element, const void* x, void* y, int64_t n_steps, int64_t n, void* stream) {
  using Values = Group<float, 4>;
  const size_t bytes = element == Element::kFloat16 ? sizeof(__half) : sizeof(float);
  if (n * bytes % sizeof(Values) == 0 && is_aligned(x, sizeof(Values)) && is_aligned(y, sizeof(Values)))
    return launch_repeat<Values>(x, y, n_steps, n * bytes / sizeof(Values), stream);
  return element == Element::kFloat16 ? launch_repeat<__half>(x, y, n_steps, n, stream)
                                      : launch_repeat<float>(x, y, n_steps, n, stream);
}

}  // namespace onnx_snn
