// Shape inference on ONNX Runtime's C interface. The C++ wrapper throws through a C callback; nothing here throws, and an
// input without a known shape just infers nothing. The shapes that the context lends are borrowed, never released.
#pragma once
#include <atomic>
#include <string>
#include <vector>

#include "ort/api.h"

namespace onnx_snn {

struct InferredShape {
  bool known = false;
  ONNXTensorElementDataType element = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  Dims dims;                        // -1: unknown
  std::vector<std::string> symbols;  // of symbolic axes, else empty

  static InferredShape scalar(ONNXTensorElementDataType element) {
    InferredShape shape;
    shape.known = true;
    shape.element = element;
    return shape;
  }
  InferredShape with_unknown_first_axis() const {
    InferredShape shape = *this;
    shape.dims[0] = -1;
    shape.symbols[0].clear();
    return shape;
  }
};

class ShapeInference {
 public:
  explicit ShapeInference(OrtShapeInferContext* context) : context_(context) {}

  InferredShape input(size_t index) const {
    InferredShape shape;
    OrtTensorTypeAndShapeInfo* info = nullptr;
    size_t rank = 0;
    if (!ok(api().ShapeInferContext_GetInputTypeShape(context_, index, &info)) || !info) return shape;
    if (!ok(api().GetDimensionsCount(info, &rank)) || !ok(api().GetTensorElementType(info, &shape.element))) return shape;
    std::vector<const char*> symbols(rank, "");
    shape.dims.resize(rank);
    if (!ok(api().GetDimensions(info, shape.dims.data(), rank)) || !ok(api().GetSymbolicDimensions(info, symbols.data(), rank)))
      return shape;
    shape.symbols.assign(symbols.begin(), symbols.end());
    shape.known = true;
    return shape;
  }

  int64_t integer(const char* attribute, int64_t default_value) const {
    const OrtOpAttr* attr = nullptr;
    int64_t value = default_value;
    size_t size = 0;
    if (!ok(api().ShapeInferContext_GetAttribute(context_, attribute, &attr)) || !attr) return default_value;
    return ok(api().ReadOpAttr(attr, ORT_OP_ATTR_INT, &value, sizeof value, &size)) ? value : default_value;
  }

  OrtStatusPtr set_output(size_t index, const InferredShape& shape) const {
    OrtTensorTypeAndShapeInfo* info = nullptr;
    if (OrtStatusPtr status = api().CreateTensorTypeAndShapeInfo(&info)) return status;
    std::vector<std::string> names = shape.symbols;
    for (size_t i = 0; i < names.size(); ++i)
      if (shape.dims[i] < 0 && names[i].empty()) names[i] = new_symbol();
    std::vector<const char*> symbols;
    for (const std::string& name : names) symbols.push_back(name.c_str());
    OrtStatusPtr status = api().SetTensorElementType(info, shape.element);
    if (!status) status = api().SetDimensions(info, shape.dims.data(), shape.dims.size());
    if (!status) status = api().SetSymbolicDimensions(info, symbols.data(), symbols.size());
    if (!status) status = api().ShapeInferContext_SetOutputTypeShape(context_, index, info);
    api().ReleaseTensorTypeAndShapeInfo(info);
    return status;
  }

  // For an output that the node may leave out.
  void set_optional_output(size_t index, const InferredShape& shape) const { ok(set_output(index, shape)); }

 private:
  // An axis without a name would be taken for one of length -1; a name of its own claims nothing about any other axis.
  static std::string new_symbol() {
    static std::atomic<unsigned> count{0};
    return "onnx_snn_axis_" + std::to_string(count++);
  }
  static const OrtApi& api() { return Ort::GetApi(); }
  static bool ok(OrtStatusPtr status) {
    if (status) api().ReleaseStatus(status);
    return !status;
  }

  OrtShapeInferContext* context_;
};

}  // namespace onnx_snn
