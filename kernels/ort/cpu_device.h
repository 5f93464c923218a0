// The CPU as a device of the operators: splits the work into blocks for ONNX Runtime's thread pool. A block is the same set
// of neurons whatever the number of threads, so the results are too.
#pragma once
#include <algorithm>

#include "cpu/dispatch.h"
#include "ort/api.h"
#include "ort/precision.h"
#include "temporal.h"

namespace onnx_snn {

struct CpuDevice {
  static constexpr const char* kProvider = "CPUExecutionProvider";

  static void run(Variant variant, Element element, const TemporalCall& call, const void* constants, const Ort::KernelContext& context) {
    struct Work {
      Walk walk;
      const TemporalCall& call;
      const void* constants;
      static void block(void* self, size_t index) {
        const Work& w = *static_cast<const Work*>(self);
        const int64_t begin = static_cast<int64_t>(index) * kNeuronsPerBlock;
        w.walk(w.call, w.constants, begin, std::min(begin + kNeuronsPerBlock, w.call.n_neurons));
      }
    } work{cpu_walk(variant, element), call, constants};
    const size_t blocks = n_blocks(call.n_neurons);
    if (blocks == 1)
      Work::block(&work, 0);
    else
      context.ParallelFor(Work::block, blocks, 0, &work);
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

  template <class T>
  static void mean(const T* x, T* y, int64_t n_steps, int64_t n, const Ort::KernelContext& context) {
    MeanWork<T> work{x, y, n_steps, n};
    context.ParallelFor(MeanWork<T>::block, n_blocks(n), 0, &work);
  }

 private:
  static size_t n_blocks(int64_t n) { return static_cast<size_t>((n + kNeuronsPerBlock - 1) / kNeuronsPerBlock); }

  template <class T>
  struct MeanWork {
    using S = typename Precision<T>::Arithmetic;
    const T* x;
    T* y;
    int64_t n_steps, n;

    static void block(void* self, size_t index) {
      const MeanWork& w = *static_cast<const MeanWork*>(self);
      const int64_t begin = static_cast<int64_t>(index) * kNeuronsPerBlock;
      const int count = static_cast<int>(std::min(kNeuronsPerBlock, w.n - begin));
      S sum[kNeuronsPerBlock] = {}, row[kNeuronsPerBlock];
      for (int64_t t = 0; t < w.n_steps; ++t) {
        load(w.x + t * w.n + begin, row, count);
        for (int i = 0; i < count; ++i) sum[i] += row[i];
      }
      for (int i = 0; i < count; ++i) sum[i] /= S(w.n_steps);
      store(sum, w.y + begin, count);
    }
    static void load(const S* in, S* out, int count) { std::copy(in, in + count, out); }
    static void load(const Half* in, float* out, int count) { to_float(in, out, count); }
    static void store(const S* in, S* out, int count) { std::copy(in, in + count, out); }
    static void store(const float* in, Half* out, int count) { to_half(in, out, count); }
  };
};

}  // namespace onnx_snn
