// The CUDA kernels as host functions. Each enqueues on `stream` (a cudaStream_t) and returns null, or what went wrong.
#pragma once
#include <cstddef>

#include "generated/variants.h"
#include "temporal.h"

namespace onnx_snn {

// Float32 or float16. `constants` points to the neuron's Constants<float> in host memory.
const char* cuda_walk(Variant variant, Element element, const TemporalCall& call, const void* constants, void* stream);

// *last_step = *first_step + n_steps in device memory, where cuda_walk has not written it: with no neurons, or in place, where
// its threads read first_step. Nobody waits for the device to learn it.
const char* cuda_count_steps(const TemporalCall& call, void* stream);

const char* cuda_repeat(Element element, const void* x, void* y, int64_t n_steps, int64_t n, void* stream);

}  // namespace onnx_snn
