// Runs a spiking model on a stream: each frame goes in for some time steps, and the state of all neurons goes on to the next.
//
//   stream LIBRARY MODEL FRAMES [--steps N]
//
// LIBRARY  libonnx_snn.so; `python -c "import snn_ops; print(snn_ops.library_path())"` says where it is
// MODEL    a .snn.onnx file made with --streaming, with one input, whose first axis is the batch
// FRAMES   the float32 numbers of one or more inputs, one after the other, as raw bytes
// --steps  time steps of each frame; without it, the number that the model was made for
//
// ONNX Runtime allocates outputs and states, and a state is bound as the next call's input where it lies: nothing is copied. On a
// GPU the same works with the memory of the device. The first call binds no states: their defaults are those at rest.
// Prints a line for each frame: the class, then every score. Exit codes: 0 done, 1 refused with a reason, 2 wrong usage.
#include <cstdlib>
#include <iostream>
#include <optional>
#include <utility>

#include "model.h"

namespace {

struct Arguments {
  std::string library, model, frames;
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
  arguments.frames = places[2];
  return arguments;
}

struct State {
  std::string input, output;
};

// The strings of [{"input": "a", "output": "b"}, ...], without escapes: names with quotes, backslashes or other than ASCII need a
// JSON library.
std::vector<State> read_states(const std::string& path, const std::string& json) {
  if (json.find('\\') != std::string::npos) throw std::runtime_error(path + ": a state's name has a character that is escaped");
  std::vector<std::string> texts;
  for (size_t begin = json.find('"'); begin != std::string::npos;) {
    const size_t end = json.find('"', begin + 1);
    if (end == std::string::npos) break;
    texts.push_back(json.substr(begin + 1, end - begin - 1));
    begin = json.find('"', end + 1);
  }
  std::vector<State> states;
  for (size_t i = 0; i + 3 < texts.size(); i += 4) {
    const bool input_first = texts[i] == "input" && texts[i + 2] == "output";
    if (!input_first && !(texts[i] == "output" && texts[i + 2] == "input")) break;
    states.push_back(input_first ? State{texts[i + 1], texts[i + 3]} : State{texts[i + 3], texts[i + 1]});
  }
  if (states.empty() || texts.size() != 4 * states.size())
    throw std::runtime_error(path + ": its metadata onnx_snn.states are not pairs of an input and an output");
  return states;
}

class Stream {
 public:
  Stream(Ort::Session& session, std::string input, std::string output, std::vector<State> states)
      : session_(session), input_(std::move(input)), output_(std::move(output)), states_(std::move(states)) {}

  // Advances by so many steps with this input in all of them; the scores after the last. They are valid until the next call.
  const Ort::Value& run(const Ort::Value& input, const Ort::Value* n_steps) {
    Ort::IoBinding binding(session_);
    binding.BindInput(input_.c_str(), input);
    if (n_steps) binding.BindInput("n_steps", *n_steps);
    for (size_t i = 0; i + 1 < values_.size(); ++i) binding.BindInput(states_[i].input.c_str(), values_[i + 1]);
    const auto cpu = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault);
    binding.BindOutput(output_.c_str(), cpu);
    for (const State& state : states_) binding.BindOutput(state.output.c_str(), cpu);
    session_.Run(Ort::RunOptions{nullptr}, binding);
    values_ = binding.GetOutputValues();  // in the order of BindOutput; those of the last call were read and may go
    return values_.front();
  }

 private:
  Ort::Session& session_;
  std::string input_, output_;
  std::vector<State> states_;
  std::vector<Ort::Value> values_;  // the output, then the states; empty: at rest
};

void run(const Arguments& arguments) {
  const std::string bytes = read_file(arguments.frames);
  const Ort::Env env(ORT_LOGGING_LEVEL_FATAL, "stream");
  Ort::SessionOptions options;
  options.RegisterCustomOpsLibrary(arguments.library.c_str());
  Ort::Session session(env, arguments.model.c_str(), options);
  Ort::AllocatorWithDefaultOptions allocator;
  check_format(arguments.model, session, allocator);
  const auto pairs = session.GetModelMetadata().LookupCustomMetadataMapAllocated("onnx_snn.states", allocator);
  if (!pairs) throw std::runtime_error(arguments.model + ": its states are not inputs: convert it with --streaming");
  if (!has_steps(session, allocator))
    throw std::runtime_error(arguments.model + ": it has no input n_steps with a default");

  const std::vector<int64_t> shape = sample_shape(arguments.model, session);
  size_t numbers = 1;
  for (int64_t length : shape) numbers *= static_cast<size_t>(length);
  if (bytes.empty() || bytes.size() % (numbers * sizeof(float)))
    throw std::runtime_error(arguments.frames + ": not a whole number of inputs of " + std::to_string(numbers) + " float32 numbers");

  const auto cpu = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  int64_t steps = arguments.n_steps.value_or(0);
  const Ort::Value n_steps = Ort::Value::CreateTensor<int64_t>(cpu, &steps, 1, nullptr, 0);
  std::vector<float> frame(numbers);
  const Ort::Value input = Ort::Value::CreateTensor<float>(cpu, frame.data(), numbers, shape.data(), shape.size());
  Stream stream(session, session.GetInputNameAllocated(0, allocator).get(), session.GetOutputNameAllocated(0, allocator).get(),
                read_states(arguments.model, pairs.get()));
  std::cout.precision(9);
  for (size_t at = 0; at < bytes.size(); at += numbers * sizeof(float)) {
    std::memcpy(frame.data(), bytes.data() + at, numbers * sizeof(float));
    const Ort::Value& found = stream.run(input, arguments.n_steps ? &n_steps : nullptr);
    const auto info = found.GetTensorTypeAndShapeInfo();
    const size_t count = info.GetElementCount();
    if (info.GetElementType() != ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT || !count)
      throw std::runtime_error(arguments.model + ": its output is not float32 scores");
    const float* scores = found.GetTensorData<float>();
    std::cout << std::max_element(scores, scores + count) - scores;
    for (size_t i = 0; i < count; ++i) std::cout << " " << scores[i];
    std::cout << "\n";
  }
}

}  // namespace

int main(int count, char** words) {
  const auto arguments = parse(count, words);
  if (!arguments) {
    std::cerr << "usage: stream LIBRARY MODEL FRAMES [--steps N], N at least 1\n";
    return 2;
  }
  try {
    run(*arguments);
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "stream: " << one_line(error.what()) << "\n";
    return 1;
  }
}
