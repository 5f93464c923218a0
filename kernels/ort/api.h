// ONNX Runtime's C++ API, initialised by hand when the library is registered; and a few helpers all operators share.
#pragma once
#if defined(_WIN32) && !defined(_MSC_VER)
#include <sal.h>  // annotations that ONNX Runtime's header takes from specstrings.h, where MinGW does not have them
#endif
#define ORT_API_MANUAL_INIT
#include <onnxruntime_cxx_api.h>
#undef ORT_API_MANUAL_INIT

#include <cstdint>
#include <string>
#include <vector>

namespace onnx_snn {

using Dims = std::vector<int64_t>;

[[noreturn]] inline void fail(std::string message) { throw Ort::Exception(std::move(message), ORT_INVALID_ARGUMENT); }

inline std::string to_string(const Dims& dims) {
  std::string text = "[";
  for (size_t i = 0; i < dims.size(); ++i) text += (i ? ", " : "") + std::to_string(dims[i]);
  return text + "]";
}

inline int64_t element_count(const Dims& dims, size_t first = 0) {
  int64_t count = 1;
  for (size_t i = first; i < dims.size(); ++i) count *= dims[i];
  return count;
}

// The second digit of the running ONNX Runtime's version, e.g. 31. Set when the library is registered.
int runtime_minor_version();

// Runs `function` and turns whatever it throws into a status: no exception may cross ONNX Runtime's C interface.
template <class Function>
OrtStatusPtr guarded(const Function& function) noexcept {
  try {
    function();
    return nullptr;
  } catch (const Ort::Exception& e) {
    return Ort::GetApi().CreateStatus(e.GetOrtErrorCode(), e.what());
  } catch (const std::exception& e) {
    return Ort::GetApi().CreateStatus(ORT_FAIL, e.what());
  }
}

// `n_steps` as every operator receives it: an int64 scalar, or one element, in CPU memory.
inline int64_t read_n_steps(const char* op, const Ort::ConstValue& value) {
  const auto info = value.GetTensorTypeAndShapeInfo();
  if (info.GetElementCount() != 1) fail(std::string(op) + ": n_steps must be one number, its shape is " + to_string(info.GetShape()));
  const int64_t n_steps = *value.GetTensorData<int64_t>();
  if (n_steps < 1) fail(std::string(op) + ": n_steps must be at least 1, it is " + std::to_string(n_steps));
  return n_steps;
}

// Into time: B -> T*B.
inline int64_t merged_axis(const char* op, int64_t n_steps, int64_t batch) {
  int64_t rows = 0;
  if (__builtin_mul_overflow(n_steps, batch, &rows)) fail(std::string(op) + ": n_steps is too large, " + std::to_string(n_steps));
  return rows;
}

// Splits the merged first axis: [T*B, ...] -> B.
inline int64_t read_batch(const char* op, const char* input, const Dims& shape, int64_t n_steps) {
  if (shape.empty()) fail(std::string(op) + ": " + input + " is a scalar, it needs a first axis of n_steps * batch");
  if (shape[0] % n_steps)
    fail(std::string(op) + ": the first axis of " + input + ", " + std::to_string(shape[0]) +
         ", is not a multiple of n_steps, " + std::to_string(n_steps));
  return shape[0] / n_steps;
}

}  // namespace onnx_snn
