// The ONNX Runtime side of every operator with a neuron's equation: reads shapes and operands, checks them, and hands a
// TemporalCall to the device. Inputs:  current, (n_steps), parameters..., states..., (step), (first_sample), bases...
//                             Outputs: output, states... after the last step, (step), bases... after the last step
// ONNX Runtime keeps one schema for each name, whatever versions its kernels declare: a node of version 1 is one without bases.
// Parameters and states have the arithmetic type: float32, also where the current is float16; or float64.
#pragma once
#include <algorithm>
#include <utility>

#include "generated/variants.h"
#include "operators/operator.h"
#include "ort/api.h"
#include "ort/attributes.h"
#include "ort/precision.h"
#include "ort/shape_inference.h"
#include "temporal.h"

namespace onnx_snn {

// `shape` broadcast to the neurons' shape, as NumPy does it: aligned at the last axis.
inline Operand broadcast(const char* op, const char* name, const void* data, const Dims& shape, const Dims& neurons) {
  const auto refuse = [&] {
    fail(std::string(op) + ": " + name + " of shape " + to_string(shape) + " does not broadcast to the neurons' shape " + to_string(neurons));
  };
  if (shape.size() > neurons.size()) refuse();
  Operand operand{data, 0, {}};
  int64_t stride = 1, inner = 1;
  bool changes = false;  // along the axis inside this one
  for (size_t i = neurons.size(); i-- > 0;) {
    const size_t missing = neurons.size() - shape.size();
    const int64_t length = i < missing ? 1 : shape[i - missing];
    if (length != 1 && length != neurons[i]) refuse();
    if (neurons[i] == 1) continue;
    if (length == 1)
      changes = false;
    else if (changes)
      operand.axis[operand.n_axes - 1].length *= length;
    else
      operand.axis[operand.n_axes++] = {inner, length, stride}, changes = true;
    stride *= length;
    inner *= neurons[i];
  }
  return operand;
}

template <class Op>
constexpr size_t count_bases() {
  size_t count = 0;
  for (bool is_base : Op::kIsBase) count += is_base;
  return count;
}

template <class Op, class T, class Device>
class TemporalKernel {
 public:
  explicit TemporalKernel(const OrtKernelInfo* info)
      : op_(Attributes(info, Op::kName)),
        constants_(op_.template constants<S>()),
        constant_current_(constant_current(op_)) {}

  OrtStatusPtr ComputeV2(OrtKernelContext* context) noexcept {
    return guarded([&] { compute(Ort::KernelContext(context)); });
  }

 private:
  using S = typename Precision<T>::Arithmetic;
  static constexpr size_t kParameters = Op::kParameters.size(), kStates = Op::kStates.size(), kBases = count_bases<Op>();
  static constexpr bool kThroughTime = Op::kTime == Time::kSteps || Op::kTime == Time::kLast;
  static_assert(kParameters <= kMaxParameters && kStates <= kMaxStates);

  static bool constant_current(const Op& op) {
    if constexpr (Op::kTime == Time::kSteps)
      return op.constant_current;
    else
      return false;
  }

  void compute(const Ort::KernelContext& context) {
    TemporalCall call{};
    size_t input = 0, output = 0;
    const auto current = context.GetInput(input++);
    const Dims shape = current.GetTensorTypeAndShapeInfo().GetShape();
    call.duration = Op::kTime == Time::kNone ? 1 : read_n_steps(Op::kName, context.GetInput(input++));
    if (call.duration > MostSteps<Op>::kValue) call.duration = MostSteps<Op>::kValue;
    call.n_steps = kThroughTime ? call.duration : 1;
    Dims neurons = shape;
    if (Op::kTime != Time::kNone) neurons[0] = read_batch(Op::kName, Op::kInput, shape, constant_current_ ? 1 : call.n_steps);
    Dims result = neurons;
    if (Op::kTime == Time::kSteps) result[0] = merged_axis(Op::kName, call.n_steps, neurons[0]);
    if (std::count_if(neurons.begin(), neurons.end(), [](int64_t length) { return length != 1; }) > kMaxRank)
      fail(std::string(Op::kName) + ": " + Op::kInput + " has more than " + std::to_string(kMaxRank) + " axes");
    call.n_neurons = element_count(neurons);
    call.neurons_per_sample = element_count(neurons, 1);
    call.current = current.GetTensorRawData();
    call.current_step = constant_current_ ? 0 : call.n_neurons;
    call.output = context.GetOutput(output++, result).GetTensorMutableRawData();
    call.output_step = Op::kTime == Time::kLast ? 0 : call.n_neurons;

    for (size_t k = 0; k < kParameters; ++k)
      call.parameter[k] = operand(Op::kParameters[k], context.GetInput(input++), neurons);
    const size_t inputs = input + kStates + Op::kCountsSteps + Op::kCountsSamples;
    const bool has_bases = context.GetInputCount() == inputs;
    const auto take_states = [&](bool bases) {
      for (size_t k = 0, place = 0; k < kStates; ++k) {
        if (Op::kIsBase[k] == bases) {
          call.state[place] = operand(Op::kStates[k], context.GetInput(input++), neurons);
          if (output < context.GetOutputCount())
            if (auto state = context.GetOutput(output, neurons)) call.final_state[place] = state.GetTensorMutableRawData();
          ++output;
        }
        place += has_bases || !Op::kIsBase[k];
      }
    };
    take_states(false);
    if (has_bases ? Op::kCountsSteps : Op::kCountsSteps1) {
      call.first_step = read_number("step", context.GetInput(input++));
      if (output < context.GetOutputCount())
        if (auto last = context.GetOutput(output, Dims{})) call.last_step = last.template GetTensorMutableData<int64_t>();
      ++output;
    }
    if (Op::kCountsSamples) call.first_sample = read_number("first_sample", context.GetInput(input++));
    if (has_bases) take_states(true);
    const Element element = Precision<T>::kElement;
    Variant variant = op_.variant(call, element);
    if constexpr (kBases > 0)
      if (!has_bases) variant = op_.variant_1(call, element);
    if (call.n_neurons) Device::run(variant, element, call, &constants_, context);
    Device::finish(call, context);
  }

  static Operand operand(const char* name, const Ort::ConstValue& value, const Dims& neurons) {
    return broadcast(Op::kName, name, value.GetTensorRawData(), value.GetTensorTypeAndShapeInfo().GetShape(), neurons);
  }
  // On a GPU the number itself stays on the device.
  static const int64_t* read_number(const char* name, const Ort::ConstValue& value) {
    if (value.GetTensorTypeAndShapeInfo().GetElementCount() != 1)
      fail(std::string(Op::kName) + ": " + name + " must be one number");
    return value.GetTensorData<int64_t>();
  }

  Op op_;
  decltype(std::declval<Op>().template constants<S>()) constants_;
  bool constant_current_;
};

template <class Op, class T, class Device>
struct TemporalOperator : Ort::CustomOpBase<TemporalOperator<Op, T, Device>, TemporalKernel<Op, T, Device>, true> {
  static constexpr size_t kFirstOperand = Op::kTime == Time::kNone ? 1 : 2;
  static constexpr size_t kBases = count_bases<Op>(), kStates = Op::kStates.size() - kBases;
  static constexpr size_t kFirstNumber = kFirstOperand + Op::kParameters.size() + kStates;
  static constexpr size_t kFirstOptional = kFirstNumber + Op::kCountsSteps1 + Op::kCountsSamples;  // version 1 ends here
  static constexpr size_t kFirstBase = kFirstNumber + Op::kCountsSteps + Op::kCountsSamples;
  static constexpr size_t kInputs = kFirstBase + kBases;
  static constexpr size_t kOutputs = 1 + kStates + Op::kCountsSteps + kBases;

  TemporalOperator() { OrtCustomOp::InferOutputShapeFn = infer_shapes; }

  OrtStatusPtr CreateKernelV2(const OrtApi&, const OrtKernelInfo* info, void** kernel) const noexcept {
    return guarded([&] { *kernel = new TemporalKernel<Op, T, Device>(info); });
  }
  const char* GetName() const { return Op::kName; }
  const char* GetExecutionProviderType() const { return Device::kProvider; }
  size_t GetInputTypeCount() const { return kInputs; }
  size_t GetOutputTypeCount() const { return kOutputs; }
  ONNXTensorElementDataType GetInputType(size_t i) const {
    const bool is_n_steps = kFirstOperand == 2 && i == 1;
    const bool is_number = i >= kFirstNumber && i < kFirstBase;
    return is_n_steps || is_number ? ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64 : element(i);
  }
  ONNXTensorElementDataType GetOutputType(size_t i) const {
    return Op::kCountsSteps && i == 1 + kStates ? ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64 : element(i);
  }
  OrtMemType GetInputMemoryType(size_t i) const {
    return kFirstOperand == 2 && i == 1 ? OrtMemTypeCPUInput : OrtMemTypeDefault;
  }
  OrtCustomOpInputOutputCharacteristic GetInputCharacteristic(size_t i) const {
    return i < kFirstOptional ? INPUT_OUTPUT_REQUIRED : INPUT_OUTPUT_OPTIONAL;
  }
  OrtCustomOpInputOutputCharacteristic GetOutputCharacteristic(size_t i) const {
    return i ? INPUT_OUTPUT_OPTIONAL : INPUT_OUTPUT_REQUIRED;
  }

 private:
  static ONNXTensorElementDataType element(size_t i) {
    return i ? Precision<typename Precision<T>::Arithmetic>::kOnnx : Precision<T>::kOnnx;
  }
  static OrtStatusPtr ORT_API_CALL infer_shapes(const OrtCustomOp*, OrtShapeInferContext* context) noexcept {
    ShapeInference shapes(context);
    const auto current = shapes.input(0);
    if (!current.known) return nullptr;
    if (Op::kTime == Time::kAtOnce || Op::kTime == Time::kNone) return shapes.set_output(0, current);
    if (current.dims.empty()) return nullptr;
    const bool constant = Op::kTime == Time::kSteps && shapes.integer("constant_current", 0) == 1;
    const bool keeps_first_axis = Op::kTime == Time::kSteps && !constant;
    if (auto status = shapes.set_output(0, keeps_first_axis ? current : current.with_unknown_first_axis())) return status;
    if (runtime_minor_version() < 28) return nullptr;  // naming an output that the node leaves out aborts the process
    // One inference function serves all types of an operator: T is only the type that was registered first.
    auto state = constant ? current : current.with_unknown_first_axis();
    if (state.element == Precision<Half>::kOnnx) state.element = Precision<float>::kOnnx;
    for (size_t k = 0; k < kStates; ++k) shapes.set_optional_output(1 + k, state);
    if (Op::kCountsSteps)
      shapes.set_optional_output(1 + kStates, InferredShape::scalar(ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64));
    for (size_t k = kOutputs - kBases; k < kOutputs; ++k) shapes.set_optional_output(k, state);
    return nullptr;
  }
};

}  // namespace onnx_snn
