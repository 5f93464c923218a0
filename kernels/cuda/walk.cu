// The neurons of an operator on a GPU: a thread per neuron (cuda/walk_neuron.h).
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
