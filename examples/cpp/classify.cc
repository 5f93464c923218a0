// Classifies an image with a spiking model, without Python:
//
//   classify LIBRARY MODEL IMAGE [--steps N]
//
// LIBRARY  libonnx_snn.so; `python -c "import snn_ops; print(snn_ops.library_path())"` says where it is
// MODEL    a .snn.onnx file with one input, whose first axis is the batch
// IMAGE    a binary PGM of 8 bits (its grey values are divided by 255), or the input's float32 numbers as raw bytes
// --steps  time steps; without it, the number that the model was made for
//
// A file of a newer format (docs/format.md) is refused before it runs. A file made for streaming runs from rest.
// Prints the class and a line for every score. Exit codes: 0 done, 1 refused with a reason, 2 wrong usage.
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <limits>
#include <optional>

#include "model.h"

namespace {

struct Arguments {
  std::string library, model, image;
  std::optional<int64_t> n_steps;
};

std::optional<Arguments> parse(int count, char** words) {
  Arguments arguments;
  std::vector<std::string> places;
  for (int i = 1; i < count; ++i) {
    if (std::string(words[i]) != "--steps") {
      places.push_back(words[i]);
      continue;
    }
    char* end = nullptr;
    const int64_t n_steps = ++i < count ? std::strtoll(words[i], &end, 10) : 0;
    if (n_steps < 1 || *end) return std::nullopt;
    arguments.n_steps = n_steps;
  }
  if (places.size() != 3) return std::nullopt;
  arguments.library = places[0];
  arguments.model = places[1];
  arguments.image = places[2];
  return arguments;
}

std::vector<float> read_pgm(const std::string& path, const std::string& bytes) {
  std::istringstream file(bytes.substr(2));
  const auto number = [&file] {
    while ((file >> std::ws).peek() == '#') file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
    size_t value = 0;
    file >> value;
    return value;
  };
  const size_t width = number(), height = number(), white = number();
  file.get();  // one white space before the grey values
  const std::string pixels(std::istreambuf_iterator<char>(file), {});
  if (white != 255 || pixels.size() != width * height)
    throw std::runtime_error(path + ": not a binary PGM of 8 bits, or not all of it");
  std::vector<float> values;
  for (unsigned char pixel : pixels) values.push_back(pixel / 255.0f);
  return values;
}

std::vector<float> read_image(const std::string& path) {
  const std::string bytes = read_file(path);
  if (bytes.compare(0, 2, "P5") == 0) return read_pgm(path, bytes);
  std::vector<float> numbers(bytes.size() / sizeof(float));
  if (bytes.size() % sizeof(float)) throw std::runtime_error(path + ": neither a binary PGM nor float32 numbers");
  std::memcpy(numbers.data(), bytes.data(), bytes.size());
  return numbers;
}

std::vector<float> classify(const Arguments& arguments) {
  std::vector<float> image = read_image(arguments.image);
  const Ort::Env env(ORT_LOGGING_LEVEL_FATAL, "classify");
  Ort::SessionOptions options;
  options.RegisterCustomOpsLibrary(arguments.library.c_str());
  Ort::Session session(env, arguments.model.c_str(), options);
  Ort::AllocatorWithDefaultOptions allocator;
  check_format(arguments.model, session, allocator);
  const auto cpu = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);

  const std::vector<int64_t> shape = sample_shape(arguments.model, session);
  size_t expected = 1;
  for (int64_t length : shape) expected *= static_cast<size_t>(length);
  if (image.size() != expected) {
    std::ostringstream reason;
    reason << arguments.image << ": " << image.size() << " numbers, where the model takes " << expected;
    throw std::runtime_error(reason.str());
  }
  const auto name = session.GetInputNameAllocated(0, allocator);
  std::vector<const char*> names{name.get()};
  std::vector<Ort::Value> values;
  values.push_back(Ort::Value::CreateTensor<float>(cpu, image.data(), image.size(), shape.data(), shape.size()));
  int64_t n_steps = arguments.n_steps.value_or(0);
  if (arguments.n_steps) {
    if (!has_steps(session, allocator)) throw std::runtime_error(arguments.model + ": it has no input n_steps");
    names.push_back("n_steps");
    values.push_back(Ort::Value::CreateTensor<int64_t>(cpu, &n_steps, 1, nullptr, 0));
  }
  const auto output = session.GetOutputNameAllocated(0, allocator);
  const char* outputs[] = {output.get()};
  const auto results = session.Run(Ort::RunOptions{nullptr}, names.data(), values.data(), names.size(), outputs, 1);
  const auto info = results[0].GetTensorTypeAndShapeInfo();
  if (info.GetElementType() != ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT || !info.GetElementCount())
    throw std::runtime_error(arguments.model + ": its output is not float32 scores");
  const float* scores = results[0].GetTensorData<float>();
  return {scores, scores + info.GetElementCount()};
}

}  // namespace

int main(int count, char** words) {
  const auto arguments = parse(count, words);
  if (!arguments) {
    std::cerr << "usage: classify LIBRARY MODEL IMAGE [--steps N], N at least 1\n";
    return 2;
  }
  try {
    const std::vector<float> scores = classify(*arguments);
    std::cout << "class " << std::max_element(scores.begin(), scores.end()) - scores.begin() << "\n";
    std::cout.precision(9);
    for (size_t i = 0; i < scores.size(); ++i) std::cout << i << " " << scores[i] << "\n";
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "classify: " << one_line(error.what()) << "\n";
    return 1;
  }
}
