// The CUDA kernels by themselves, without ONNX Runtime: what tools/gpu/library.py calls. One stream, on which everything runs in
// turn. A function gives null, or what went wrong. nvcc compiles this for a GPU, the host's compiler for tools/gpu_rehearsal's
// stand-in (library.py, `build`).
#include <cstdio>

#include "cuda/walk.cu"

namespace {

using onnx_snn::Element;

constexpr int kBlock = 256, kEvents = 64;

cudaStream_t g_stream = nullptr;
cudaEvent_t g_events[kEvents];
cudaGraphExec_t g_graph = nullptr;

const char* said(cudaError_t error) { return error == cudaSuccess ? nullptr : cudaGetErrorString(error); }

const char* ready() {
  if (g_stream) return nullptr;
  for (cudaEvent_t& event : g_events)
    if (const char* error = said(cudaEventCreate(&event))) return error;
  return said(cudaStreamCreateWithFlags(&g_stream, cudaStreamNonBlocking));
}

template <class... Parameters>
const char* enqueue(void (*kernel)(Parameters...), int64_t n, Parameters... arguments) {
  if (n == 0) return nullptr;
  cudaLaunchConfig_t shape{};
  shape.gridDim = dim3(unsigned((n + kBlock - 1) / kBlock));
  shape.blockDim = dim3(kBlock);
  shape.stream = g_stream;
  return said(cudaLaunchKernelEx(&shape, kernel, arguments...));
}

__global__ void fill(uint16_t* to, uint16_t word, int64_t n) {
  const int64_t i = int64_t(blockIdx.x) * kBlock + threadIdx.x;
  if (i < n) to[i] = word;
}

// Uniform in [low, high), of a counter: splitmix64.
template <class T>
__global__ void draw(T* to, float low, float high, uint64_t seed, int64_t n) {
  const int64_t i = int64_t(blockIdx.x) * kBlock + threadIdx.x;
  if (i >= n) return;
  uint64_t z = seed + uint64_t(i + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  const float unit = float((z ^ (z >> 31)) >> 40) * 0x1p-24f;
  onnx_snn::Stored<T>::store(low + (high - low) * unit, to + i);
}

}  // namespace

extern "C" {

const char* gpu_describe(char* text, size_t size, uint64_t* available) {
  if (const char* error = ready()) return error;
  cudaDeviceProp properties;
  size_t total = 0, unused = 0;
  int runtime = 0, driver = 0;
  if (const char* error = said(cudaGetDeviceProperties(&properties, 0))) return error;
  if (const char* error = said(cudaMemGetInfo(&unused, &total))) return error;
  if (const char* error = said(cudaRuntimeGetVersion(&runtime))) return error;
  if (const char* error = said(cudaDriverGetVersion(&driver))) return error;
  *available = unused;
  std::snprintf(text, size, "%s, compute capability %d.%d, %zu MiB; driver for CUDA %d.%d, runtime %d.%d", properties.name,
                properties.major, properties.minor, total >> 20, driver / 1000, driver % 1000 / 10, runtime / 1000,
                runtime % 1000 / 10);
  return nullptr;
}

const char* gpu_take(void** p, uint64_t n) {
  const char* error = ready();
  return error ? error : said(cudaMalloc(p, n));
}
const char* gpu_free(void* p) { return said(cudaFree(p)); }
const char* gpu_upload(void* to, const void* from, uint64_t n) {
  if (const char* error = said(cudaStreamSynchronize(g_stream))) return error;
  return said(cudaMemcpy(to, from, n, cudaMemcpyHostToDevice));
}
const char* gpu_download(void* to, const void* from, uint64_t n) {
  if (const char* error = said(cudaStreamSynchronize(g_stream))) return error;
  return said(cudaMemcpy(to, from, n, cudaMemcpyDeviceToHost));
}
const char* gpu_copy(void* to, const void* from, uint64_t n) {
  return said(cudaMemcpyAsync(to, from, n, cudaMemcpyDeviceToDevice, g_stream));
}
const char* gpu_synchronize() { return said(cudaStreamSynchronize(g_stream)); }

const char* gpu_fill(void* to, int word, int64_t n) { return enqueue(fill, n, static_cast<uint16_t*>(to), uint16_t(word), n); }
const char* gpu_draw(int element, void* to, float low, float high, uint64_t seed, int64_t n) {
  return Element(element) == Element::kFloat16 ? enqueue(draw<__half>, n, static_cast<__half*>(to), low, high, seed, n)
                                               : enqueue(draw<float>, n, static_cast<float*>(to), low, high, seed, n);
}

const char* gpu_mark(int event) { return said(cudaEventRecord(g_events[event], g_stream)); }
const char* gpu_milliseconds(int from, int to, float* found) {
  if (const char* error = said(cudaEventSynchronize(g_events[to]))) return error;
  return said(cudaEventElapsedTime(found, g_events[from], g_events[to]));
}

// What is enqueued between the two becomes a graph, and does not run before gpu_replay.
const char* gpu_begin_graph() { return said(cudaStreamBeginCapture(g_stream, cudaStreamCaptureModeThreadLocal)); }
const char* gpu_end_graph() {
  cudaGraph_t graph = nullptr;
  if (const char* error = said(cudaStreamEndCapture(g_stream, &graph))) return error;
  if (const char* error = said(cudaGraphInstantiate(&g_graph, graph, 0))) return error;
  return said(cudaGraphDestroy(graph));
}
const char* gpu_replay() { return said(cudaGraphLaunch(g_graph, g_stream)); }

// As kernels/ort/cuda_device.h does it.
const char* gpu_walk(int variant, int element, const void* call_, const void* constants) {
  const auto& call = *static_cast<const onnx_snn::TemporalCall*>(call_);
  if (call.n_neurons)
    if (const char* error = onnx_snn::cuda_walk(onnx_snn::Variant(variant), Element(element), call, constants, g_stream))
      return error;
  return onnx_snn::cuda_count_steps(call, g_stream);
}
const char* gpu_repeat(int element, const void* x, void* y, int64_t n_steps, int64_t n) {
  return n ? onnx_snn::cuda_repeat(Element(element), x, y, n_steps, n, g_stream) : nullptr;
}

}  // extern "C"
