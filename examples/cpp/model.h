// What both examples need: files, and what a spiking model says of itself.
#pragma once
#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

constexpr int64_t kFormat = 1;  // the newest onnx_snn.format that this program reads

inline std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  if (!file.is_open() || !(bytes << file.rdbuf())) throw std::runtime_error(path + ": cannot be read, or is empty");
  return bytes.str();
}

// Of a file without the key it is 1. A newer file might mean something else by what it says.
inline void check_format(const std::string& path, Ort::Session& session, Ort::AllocatorWithDefaultOptions& allocator) {
  const auto text = session.GetModelMetadata().LookupCustomMetadataMapAllocated("onnx_snn.format", allocator);
  if (!text) return;
  const std::string format = text.get();
  if (format.empty() || format.find_first_not_of("0123456789") != std::string::npos)
    throw std::runtime_error(path + ": its metadata onnx_snn.format is no number: " + format);
  if (format.size() > 18 || std::stoll(format) > kFormat)
    throw std::runtime_error(path + ": made for format " + format + ", this program reads " +
                             std::to_string(kFormat) + ": build it from a newer release");
}

// The shape of one sample: the batch, the first axis, is 1.
inline std::vector<int64_t> sample_shape(const std::string& path, Ort::Session& session) {
  if (session.GetInputCount() != 1) throw std::runtime_error(path + ": it does not have one input");
  const auto type = session.GetInputTypeInfo(0);
  const auto info = type.GetTensorTypeAndShapeInfo();
  if (info.GetElementType() != ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT)
    throw std::runtime_error(path + ": its input is not float32");
  std::vector<int64_t> shape = info.GetShape();
  if (shape.empty()) throw std::runtime_error(path + ": its input is a scalar");
  shape[0] = 1;
  if (std::any_of(shape.begin(), shape.end(), [](int64_t length) { return length < 1; }))
    throw std::runtime_error(path + ": its input has an axis of unknown length");
  return shape;
}

inline bool has_steps(Ort::Session& session, const Ort::AllocatorWithDefaultOptions& allocator) {
  for (size_t i = 0; i < session.GetOverridableInitializerCount(); ++i)
    if (!std::strcmp(session.GetOverridableInitializerNameAllocated(i, allocator).get(), "n_steps")) return true;
  return false;
}

inline std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}
