// The CPU as a device of the operators: splits the work into blocks for ONNX Runtime's thread pool. A block is the same set
// of neurons whatever the number of threads, so the results are too.
#pragma once
#include <algorithm>

#include "cpu/dispatch.h"
#include "ort/api.h"
#include "temporal.h"

namespace onnx_snn {

struct CpuDevice {
  static constexpr const char* kProvider = "CPUExecutionProvider";

  static void run(Variant variant, Element element, const TemporalCall& call, const void* constants, const Ort::KernelContext& context) {
    struct Work {
      Walk walk;
      const TemporalCall& call;
      const void* constants;
      int64_t neurons;  // of a block
      static void block(void* self, size_t index) {
        const Work& w = *static_cast<const Work*>(self);
        const int64_t begin = static_cast<int64_t>(index) * w.neurons;
        w.walk(w.call, w.constants, begin, std::min(begin + w.neurons, w.call.n_neurons));
      }
    } work{cpu_walk(variant, element), call, constants, call.n_steps == 1 ? kNeuronsPerBlock / 4 : kNeuronsPerBlock};
    if (call.n_neurons <= kNeuronsPerBlock) {
      work.neurons = kNeuronsPerBlock;
      Work::block(&work, 0);
    } else {
      context.ParallelFor(Work::block, static_cast<size_t>((call.n_neurons + work.neurons - 1) / work.neurons), 0, &work);
    }
  }
  static void finish(const TemporalCall& call, const Ort::KernelContext&) {
    if (call.last_step) *call.last_step = *call.first_step + call.n_steps;
  }

  template <class T>
  static void repeat(const T* x, T* y, int64_t n_steps, int64_t n, const Ort::KernelContext& context) {
    struct Work {
      const T* x;
      T* y;
      int64_t n;
      static void copy(void* self, size_t t) {
        const Work& w = *static_cast<const Work*>(self);
        std::copy(w.x, w.x + w.n, w.y + static_cast<int64_t>(t) * w.n);
      }
    } work{x, y, n};
    context.ParallelFor(Work::copy, static_cast<size_t>(n_steps), 0, &work);
  }
};

}  // namespace onnx_snn
