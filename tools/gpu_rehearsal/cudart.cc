// A CUDA runtime without a GPU, as much of it as ONNX Runtime's CUDA provider needs to start, hold tensors and run kernels that
// are ours. Device memory is host memory that is closed to the host (include/device_memory.h). Streams are done at once. Functions
// that are not here succeed and do nothing (stubs.py); kernels of others are refused. With REHEARSAL_LOG in the environment it
// says on standard error when memory is taken or copied, a kernel runs, or somebody waits: a line each, beginning with "cuda: ".
#include <cuda_runtime_api.h>
#include <sys/mman.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

#include "device_memory.h"

namespace {

class DeviceMemory {
 public:
  static constexpr size_t kSize = size_t(8) << 30, kAlignment = 512;

  DeviceMemory() {
    begin_ = static_cast<char*>(mmap(nullptr, kSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (begin_ == MAP_FAILED) die("no address space for device memory");
  }
  bool holds(const void* p) const { return p >= begin_ && p < begin_ + kSize; }

  void* take(size_t n) {
    const std::lock_guard<std::mutex> lock(mutex_);
    n = (n / kAlignment + 1) * kAlignment;
    size_t place = end_;
    if (const auto found = free_.lower_bound(n); found != free_.end()) {
      n = found->first, place = found->second;
      free_.erase(found);
    } else if (end_ + n > kSize) {
      return nullptr;
    } else {
      end_ += n;
    }
    taken_[place] = n;
    return begin_ + place;
  }
  bool give_back(void* p) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = taken_.find(static_cast<size_t>(static_cast<char*>(p) - begin_));
    if (found == taken_.end()) return false;
    free_.emplace(found->second, found->first);
    taken_.erase(found);
    return true;
  }
  void open() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (opened_++ == 0) mprotect(begin_, kSize, PROT_READ | PROT_WRITE);
  }
  void close() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (--opened_ == 0) mprotect(begin_, kSize, PROT_NONE);
  }

 private:
  [[noreturn]] static void die(const char* why) {
    std::fprintf(stderr, "rehearsal: %s\n", why);
    std::abort();
  }
  char* begin_;
  size_t end_ = 0;
  int opened_ = 0;
  std::map<size_t, size_t> taken_;      // by place: length
  std::multimap<size_t, size_t> free_;  // by length: place
  std::mutex mutex_;
};

void say(const char* what) {
  if (std::getenv("REHEARSAL_LOG")) std::fprintf(stderr, "cuda: %s\n", what);
}

DeviceMemory& memory() {
  static DeviceMemory* const memory = new DeviceMemory;  // ONNX Runtime frees what it holds when the process ends
  return *memory;
}

cudaError_t copy(void* to, const void* from, size_t n, cudaMemcpyKind kind) {
  const bool to_device = memory().holds(to), from_device = memory().holds(from);
  const bool to_is_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_is_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  if (n && kind != cudaMemcpyDefault && (to_device != to_is_device || from_device != from_is_device))
    return cudaErrorInvalidMemcpyDirection;
  say(from_device ? (to_device ? "copy on the device" : "copy out") : to_device ? "copy in" : "copy on the host");
  const rehearsal::DeviceMemoryOpen open;
  std::memmove(to, from, n);
  return cudaSuccess;
}

using Graph = std::vector<std::function<void()>>;
Graph* g_captured = nullptr;  // of the stream that is being captured

double milliseconds_now() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
std::map<cudaEvent_t, double>& event_times() {
  static auto* const times = new std::map<cudaEvent_t, double>;
  return *times;
}

template <class Handle>
cudaError_t new_handle(Handle* handle) {
  static size_t last = 0;
  *handle = reinterpret_cast<Handle>(++last * 64);
  return cudaSuccess;
}

}  // namespace

extern "C" {

void rehearsal_open() { memory().open(); }
void rehearsal_close() { memory().close(); }
void rehearsal_say(const char* what) { say(what); }
void rehearsal_enqueue(const std::function<void()>& work) {
  if (g_captured)
    g_captured->push_back(work);
  else
    work();
}

cudaError_t cudaGetDeviceCount(int* count) { return *count = 1, cudaSuccess; }
cudaError_t cudaGetDevice(int* device) { return *device = 0, cudaSuccess; }
cudaError_t cudaDriverGetVersion(int* version) { return *version = CUDART_VERSION, cudaSuccess; }
cudaError_t cudaRuntimeGetVersion(int* version) { return *version = CUDART_VERSION, cudaSuccess; }
const char* cudaGetErrorName(cudaError_t) { return "error of the rehearsal"; }
const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaErrorNotSupported ? "a kernel that is not ours" : "error of the rehearsal";
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  *properties = {};
  std::strcpy(properties->name, "rehearsal");
  properties->totalGlobalMem = DeviceMemory::kSize;
  properties->major = 9;
  properties->multiProcessorCount = 1;
  properties->warpSize = 32;
  properties->maxThreadsPerBlock = properties->maxThreadsPerMultiProcessor = 1024;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  *value = attribute == cudaDevAttrComputeCapabilityMajor ? 9 : 0;
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** p, size_t n) {
  say("allocation");
  *p = memory().take(n);
  return *p ? cudaSuccess : cudaErrorMemoryAllocation;
}
cudaError_t cudaFree(void* p) { return !p || memory().give_back(p) ? cudaSuccess : cudaErrorInvalidValue; }
cudaError_t cudaHostAlloc(void** p, size_t n, unsigned) {
  *p = std::malloc(n);
  return *p ? cudaSuccess : cudaErrorMemoryAllocation;
}
cudaError_t cudaMallocHost(void** p, size_t n) { return cudaHostAlloc(p, n, 0); }
cudaError_t cudaFreeHost(void* p) { return std::free(p), cudaSuccess; }
cudaError_t cudaMemGetInfo(size_t* available, size_t* total) {
  *available = *total = DeviceMemory::kSize;
  return cudaSuccess;
}
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* p) {
  *attributes = {};
  attributes->type = memory().holds(p) ? cudaMemoryTypeDevice : cudaMemoryTypeUnregistered;
  return cudaSuccess;
}
cudaError_t cudaMemcpy(void* to, const void* from, size_t n, cudaMemcpyKind kind) { return copy(to, from, n, kind); }
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t n, cudaMemcpyKind kind, cudaStream_t) {
  return copy(to, from, n, kind);
}
cudaError_t cudaMemset(void* p, int value, size_t n) {
  const rehearsal::DeviceMemoryOpen open;
  std::memset(p, value, n);
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* p, int value, size_t n, cudaStream_t) { return cudaMemset(p, value, n); }

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) { return new_handle(stream); }
cudaError_t cudaStreamCreate(cudaStream_t* stream) { return new_handle(stream); }
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) { return new_handle(event); }
cudaError_t cudaEventCreate(cudaEvent_t* event) { return new_handle(event); }
cudaError_t cudaStreamSynchronize(cudaStream_t) { return say("wait"), cudaSuccess; }
cudaError_t cudaEventSynchronize(cudaEvent_t) { return say("wait"), cudaSuccess; }
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t) {
  event_times()[event] = milliseconds_now();
  return cudaSuccess;
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to) {
  *milliseconds = float(event_times()[to] - event_times()[from]);
  return cudaSuccess;
}
cudaError_t cudaDeviceSynchronize() { return say("wait"), cudaSuccess; }
cudaError_t cudaStreamIsCapturing(cudaStream_t, cudaStreamCaptureStatus* status) {
  return *status = g_captured ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone, cudaSuccess;
}
cudaError_t cudaStreamBeginCapture(cudaStream_t, cudaStreamCaptureMode) {
  g_captured = new Graph;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t* graph) {
  *graph = reinterpret_cast<cudaGraph_t>(g_captured);
  g_captured = nullptr;
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  *executable = reinterpret_cast<cudaGraphExec_t>(new Graph(*reinterpret_cast<Graph*>(graph)));
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) { return delete reinterpret_cast<Graph*>(graph), cudaSuccess; }
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t) {
  for (const auto& work : *reinterpret_cast<Graph*>(executable)) work();
  return cudaSuccess;
}
cudaError_t cudaLaunchHostFunc(cudaStream_t, cudaHostFn_t function, void* data) { return function(data), cudaSuccess; }

cudaError_t cudaLaunchKernel(const void*, dim3, dim3, void**, size_t, cudaStream_t) { return cudaErrorNotSupported; }
cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t*, const void*, void**) { return cudaErrorNotSupported; }
cudaError_t __cudaLaunchKernel(cudaKernel_t, dim3, dim3, void**, size_t, cudaStream_t) { return cudaErrorNotSupported; }
void** __cudaRegisterFatBinary(void*) {
  static void* binary;
  return &binary;
}

}  // extern "C"
