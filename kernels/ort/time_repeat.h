// Into time.  TimeRepeat: [B, ...] -> [T*B, ...], y_t = x. (TimeMean, its counterpart, is a neuron that sums.)
#pragma once
#include "ort/api.h"
#include "ort/precision.h"
#include "ort/shape_inference.h"

namespace onnx_snn {

template <class T, class Device>
struct TimeRepeatKernel {
  explicit TimeRepeatKernel(const OrtKernelInfo*) {}

  OrtStatusPtr ComputeV2(OrtKernelContext* raw) noexcept {
    return guarded([&] {
      const Ort::KernelContext context(raw);
      const auto x = context.GetInput(0);
      Dims shape = x.GetTensorTypeAndShapeInfo().GetShape();
      const int64_t n_steps = read_n_steps("TimeRepeat", context.GetInput(1)), n = element_count(shape);
      shape[0] = merged_axis("TimeRepeat", n_steps, read_batch("TimeRepeat", "x", shape, 1));
      auto y = context.GetOutput(0, shape);
      if (n)
        Device::repeat(static_cast<const T*>(x.GetTensorRawData()), static_cast<T*>(y.GetTensorMutableRawData()), n_steps, n,
                       context);
    });
  }
};

template <class T, class Device>
struct TimeRepeat : Ort::CustomOpBase<TimeRepeat<T, Device>, TimeRepeatKernel<T, Device>, true> {
  TimeRepeat() { OrtCustomOp::InferOutputShapeFn = infer_shapes; }

  OrtStatusPtr CreateKernelV2(const OrtApi&, const OrtKernelInfo* info, void** kernel) const noexcept {
    return guarded([&] { *kernel = new TimeRepeatKernel<T, Device>(info); });
  }
  const char* GetName() const { return "TimeRepeat"; }
  const char* GetExecutionProviderType() const { return Device::kProvider; }
  size_t GetInputTypeCount() const { return 2; }
  size_t GetOutputTypeCount() const { return 1; }
  ONNXTensorElementDataType GetInputType(size_t i) const {
    return i ? ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64 : Precision<T>::kOnnx;
  }
  ONNXTensorElementDataType GetOutputType(size_t) const { return Precision<T>::kOnnx; }
  OrtMemType GetInputMemoryType(size_t i) const { return i == 1 ? OrtMemTypeCPUInput : OrtMemTypeDefault; }

 private:
  static OrtStatusPtr ORT_API_CALL infer_shapes(const OrtCustomOp*, OrtShapeInferContext* context) noexcept {
    ShapeInference shapes(context);
    const auto x = shapes.input(0);
    return x.known && !x.dims.empty() ? shapes.set_output(0, x.with_unknown_first_axis()) : nullptr;
  }
};

}  // namespace onnx_snn
