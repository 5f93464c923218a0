// Into and out of time.
//   TimeRepeat  [B, ...] -> [T*B, ...]    y_t = x
//   TimeMean    [T*B, ...] -> [B, ...]    y = (x_0 + ... + x_{T-1}) / T, summed in this order (float16: in float32)
#pragma once
#include <algorithm>

#include "ort/api.h"
#include "ort/precision.h"
#include "ort/shape_inference.h"

namespace onnx_snn {

template <class T, class Device_>
struct TimeRepeat {
  static constexpr const char* kName = "TimeRepeat";
  using Element = T;
  using Device = Device_;

  static Dims output_shape(const Dims& x, int64_t n_steps) {
    read_batch(kName, "x", x, 1);
    Dims y = x;
    y[0] *= n_steps;
    return y;
  }
  static void run(const void* x, void* y, int64_t n_steps, int64_t n, const Ort::KernelContext& context) {
    Device::repeat(static_cast<const T*>(x), static_cast<T*>(y), n_steps, n, context);
  }
};

template <class T, class Device_>
struct TimeMean {
  static constexpr const char* kName = "TimeMean";
  using Element = T;
  using Device = Device_;

  static Dims output_shape(const Dims& x, int64_t n_steps) {
    const int64_t batch = read_batch(kName, "x", x, n_steps);
    Dims y = x;
    y[0] = batch;
    return y;
  }
  static void run(const void* x, void* y, int64_t n_steps, int64_t n, const Ort::KernelContext& context) {
    Device::mean(static_cast<const T*>(x), static_cast<T*>(y), n_steps, n, context);
  }
};

template <class Op>
struct TimeKernel {
  explicit TimeKernel(const OrtKernelInfo*) {}

  OrtStatusPtr ComputeV2(OrtKernelContext* raw) noexcept {
    return guarded([&] {
      const Ort::KernelContext context(raw);
      const auto x = context.GetInput(0);
      const Dims shape = x.GetTensorTypeAndShapeInfo().GetShape();
      const int64_t n_steps = read_n_steps(Op::kName, context.GetInput(1));
      const Dims output = Op::output_shape(shape, n_steps);
      auto y = context.GetOutput(0, output);
      const int64_t n = std::min(element_count(shape), element_count(output));
      if (n) Op::run(x.GetTensorRawData(), y.GetTensorMutableRawData(), n_steps, n, context);
    });
  }
};

template <class Op>
struct TimeOperator : Ort::CustomOpBase<TimeOperator<Op>, TimeKernel<Op>, true> {
  TimeOperator() { OrtCustomOp::InferOutputShapeFn = infer_shapes; }

  OrtStatusPtr CreateKernelV2(const OrtApi&, const OrtKernelInfo* info, void** kernel) const noexcept {
    return guarded([&] { *kernel = new TimeKernel<Op>(info); });
  }
  const char* GetName() const { return Op::kName; }
  const char* GetExecutionProviderType() const { return Op::Device::kProvider; }
  size_t GetInputTypeCount() const { return 2; }
  size_t GetOutputTypeCount() const { return 1; }
  ONNXTensorElementDataType GetInputType(size_t i) const { return i ? ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64 : Precision<typename Op::Element>::kOnnx; }
  ONNXTensorElementDataType GetOutputType(size_t) const { return Precision<typename Op::Element>::kOnnx; }
  OrtMemType GetInputMemoryType(size_t i) const { return i == 1 ? OrtMemTypeCPUInput : OrtMemTypeDefault; }

 private:
  static OrtStatusPtr ORT_API_CALL infer_shapes(const OrtCustomOp*, OrtShapeInferContext* context) noexcept {
    ShapeInference shapes(context);
    const auto x = shapes.input(0);
    return x.known && !x.dims.empty() ? shapes.set_output(0, x.with_unknown_first_axis()) : nullptr;
  }
};

}  // namespace onnx_snn
