// The operators of the domain `onnx_snn`, as generated/operators.h lists them; `add` makes one kernel per type and device.
#include <cstdlib>
#include <cstring>
#include <vector>

#include "generated/operators.h"
#include "ort/cpu_device.h"
#include "ort/temporal_operator.h"
#include "ort/time_repeat.h"
#ifdef SNN_CUDA
#include "ort/cuda_device.h"
#endif

namespace onnx_snn {
namespace {

int g_runtime_minor_version = 0;

using Operators = std::vector<const OrtCustomOp*>;

template <class Op>
void add(Operators& operators) {
  operators.push_back(new TemporalOperator<Op, float, CpuDevice>);
  operators.push_back(new TemporalOperator<Op, Half, CpuDevice>);
  operators.push_back(new TemporalOperator<Op, double, CpuDevice>);
#ifdef SNN_CUDA
  operators.push_back(new TemporalOperator<Op, float, CudaDevice>);
  operators.push_back(new TemporalOperator<Op, Half, CudaDevice>);
#endif
}

void add_repeat(Operators& operators) {
  operators.push_back(new TimeRepeat<float, CpuDevice>);
  operators.push_back(new TimeRepeat<Half, CpuDevice>);
  operators.push_back(new TimeRepeat<double, CpuDevice>);
#ifdef SNN_CUDA
  operators.push_back(new TimeRepeat<float, CudaDevice>);
  operators.push_back(new TimeRepeat<Half, CudaDevice>);
#endif
}

Operators all_operators() {
  Operators operators;
#define SNN_ADD(Op) add<Op>(operators);
  SNN_OPERATORS(SNN_ADD)
#undef SNN_ADD
  add_repeat(operators);
  return operators;
}

// A session refers to the domain of its options as long as it lives, so the domain is never destroyed.
OrtCustomOpDomain* domain() {
  static OrtCustomOpDomain* const domain = [] {
    Ort::CustomOpDomain domain("onnx_snn");
    for (const OrtCustomOp* op : all_operators()) domain.Add(op);
    return domain.release();
  }();
  return domain;
}

}  // namespace

int runtime_minor_version() { return g_runtime_minor_version; }

}  // namespace onnx_snn

#ifdef _WIN32
#define SNN_EXPORT extern "C" __declspec(dllexport)
#else
#define SNN_EXPORT extern "C" __attribute__((visibility("default")))
#endif

// The instruction set of the CPU kernels in use, for reports.
SNN_EXPORT const char* OnnxSnnCpuIsa() { return onnx_snn::cpu_isa(); }

SNN_EXPORT OrtStatus* ORT_API_CALL RegisterCustomOps(OrtSessionOptions* options, const OrtApiBase* base) {
  using namespace onnx_snn;
  const OrtApi* api = base->GetApi(ORT_API_VERSION);
  if (!api) {  // a runtime older than the headers: say so through the newest interface it has
    for (uint32_t version = ORT_API_VERSION - 1; version > 0; --version)
      if ((api = base->GetApi(version)))
        return api->CreateStatus(ORT_NOT_IMPLEMENTED, "onnx_snn: this library needs ONNX Runtime 1." SNN_ORT_API_VERSION " or newer");
    std::abort();
  }
  Ort::InitApi(api);
  if (const char* dot = std::strchr(base->GetVersionString(), '.')) g_runtime_minor_version = std::atoi(dot + 1);
  return guarded([&] { Ort::ThrowOnError(api->AddCustomOpDomain(options, domain())); });
}
