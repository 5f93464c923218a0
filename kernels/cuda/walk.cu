// The neurons of an operator on a GPU: a thread per neuron (cuda/walk_neuron.h). Kernels are started by a call, not by
// <<< >>>, so that a host compiler takes this file, too (tools/gpu_rehearsal).
#include <cuda_fp16.h>
#include <cuda_runtime.h>

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

constexpr int kThreads = 256;

template <class Neuron, class T>
__global__ void walk(const TemporalCall call,
                     const typename Neuron::template Constants<typename Stored<T>::Arithmetic> constants) {
  const int64_t neuron = int64_t(blockIdx.x) * kThreads + threadIdx.x;
  if (neuron < call.n_neurons) walk_neuron<Neuron, T>(call, constants, neuron);
}

__global__ void count_steps(const int64_t* first, int64_t* last, int64_t n_steps) {
  if (threadIdx.x == 0) *last = *first + n_steps;
}

template <class T>
__global__ void repeat(const T* x, T* y, int64_t n_steps, int64_t n) {
  const int64_t i = int64_t(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= n) return;
  const T value = x[i];
  for (int64_t t = 0; t < n_steps; ++t) y[t * n + i] = value;
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

template <class Neuron>
const char* launch_walk(Element element, const TemporalCall& call, const void* constants, void* stream) {
  const auto& c = *static_cast<const typename Neuron::template Constants<float>*>(constants);
  return launch(element == Element::kFloat16 ? walk<Neuron, __half> : walk<Neuron, float>, call.n_neurons, stream, call, c);
}

template <class T>
const char* launch_repeat(const void* x, void* y, int64_t n_steps, int64_t n, void* stream) {
  return launch(repeat<T>, n, stream, static_cast<const T*>(x), static_cast<T*>(y), n_steps, n);
}

}  // namespace

const char* cuda_walk(Variant variant, Element element, const TemporalCall& call, const void* constants, void* stream) {
  switch (variant) {
#define SNN_CASE(name, type) \
  case Variant::name:        \
    return launch_walk<type>(element, call, constants, stream);
    SNN_VARIANTS(SNN_CASE)
#undef SNN_CASE
  }
  return "no such neuron";
}

const char* cuda_count_steps(const TemporalCall& call, void* stream) {
  return launch(count_steps, 1, stream, call.first_step, call.last_step, call.n_steps);
}

const char* cuda_repeat(Element element, const void* x, void* y, int64_t n_steps, int64_t n, void* stream) {
  return element == Element::kFloat16 ? launch_repeat<__half>(x, y, n_steps, n, stream)
                                      : launch_repeat<float>(x, y, n_steps, n, stream);
}

}  // namespace onnx_snn
