// Chooses the compiled neuron for this processor, and splits a call into blocks of neurons.
#pragma once
#include "generated/variants.h"
#include "temporal.h"

namespace onnx_snn {

// Takes neurons [begin, end) of a call through all its time steps; at most kNeuronsPerBlock of them.
using Walk = void (*)(const TemporalCall& call, const void* constants, int64_t begin, int64_t end);

struct Walks {
  Walk float32, float16, float64;
};

constexpr int64_t kNeuronsPerBlock = 2048;

Walk cpu_walk(Variant variant, Element element);

// The instruction set in use: "generic", "avx2" or "avx512". The environment variable ONNX_SNN_ISA lowers it.
const char* cpu_isa();

}  // namespace onnx_snn
