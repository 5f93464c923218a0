// In place of the CUDA toolkit's header of this name: kernels are host functions, and a launch calls them thread by thread.
#pragma once
#include <cuda_runtime_api.h>

#include "device_memory.h"

inline thread_local uint3 blockIdx, threadIdx;

template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* shape, void (*kernel)(Parameters...), Arguments... arguments) {
  rehearsal_enqueue([grid = shape->gridDim.x, block = shape->blockDim.x, kernel, arguments...] {
    rehearsal_say("kernel");
    const rehearsal::DeviceMemoryOpen open;
    for (blockIdx.x = 0; blockIdx.x < grid; ++blockIdx.x)
      for (threadIdx.x = 0; threadIdx.x < block; ++threadIdx.x) kernel(arguments...);
  });
  return cudaSuccess;
}
