// The types a tensor may have, and the type in which a kernel computes with it.
#pragma once
#include "cpu/half.h"
#include "ort/api.h"
#include "temporal.h"

namespace onnx_snn {

template <class T>
struct Precision;
template <>
struct Precision<float> {
  static constexpr auto kOnnx = ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
  using Arithmetic = float;
  static constexpr Element kElement = Element::kFloat32;
};
template <>
struct Precision<Half> {
  static constexpr auto kOnnx = ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16;
  using Arithmetic = float;
  static constexpr Element kElement = Element::kFloat16;
};
template <>
struct Precision<double> {
  static constexpr auto kOnnx = ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE;
  using Arithmetic = double;
  static constexpr Element kElement = Element::kFloat64;
};

}  // namespace onnx_snn
