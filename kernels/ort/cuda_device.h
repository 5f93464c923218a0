// A CUDA GPU as a device of the operators: everything is enqueued on ONNX Runtime's stream, and nothing waits.
#pragma once
#include "cuda/walk.h"
#include "ort/api.h"
#include "ort/precision.h"
#include "temporal.h"

namespace onnx_snn {

struct CudaDevice {
  static constexpr const char* kProvider = "CUDAExecutionProvider";

  static void run(Variant variant, Element element, const TemporalCall& call, const void* constants, const Ort::KernelContext& context) {
    check(cuda_walk(variant, element, call, constants, context.GetGPUComputeStream()));
  }
  static void finish(const TemporalCall& call, const Ort::KernelContext& context) {
    check(cuda_count_steps(call, context.GetGPUComputeStream()));
  }
  template <class T>
  static void repeat(const T* x, T* y, int64_t n_steps, int64_t n, const Ort::KernelContext& context) {
    check(cuda_repeat(Precision<T>::kElement, x, y, n_steps, n, context.GetGPUComputeStream()));
  }

 private:
  static void check(const char* error) {
    if (error) throw Ort::Exception(std::string("onnx_snn: the CUDA kernel could not be started: ") + error, ORT_FAIL);
  }
};

}  // namespace onnx_snn
