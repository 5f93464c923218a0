#include "cpu/dispatch.h"

#include <cstdlib>
#include <cstring>

namespace onnx_snn {

extern const Walks walks_generic[];
#ifdef SNN_X86
extern const Walks walks_avx2[];
extern const Walks walks_avx512[];
#endif

namespace {

struct InstructionSet {
  const char* name;
  const Walks* walks;
};

InstructionSet choose() {
#ifdef SNN_X86
  const char* wanted = std::getenv("ONNX_SNN_ISA");
  const bool lower_to_generic = wanted && !std::strcmp(wanted, "generic");
  const bool lower_to_avx2 = wanted && !std::strcmp(wanted, "avx2");
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("x86-64-v3");
  const bool avx512 = __builtin_cpu_supports("x86-64-v4");
  if (avx512 && !lower_to_generic && !lower_to_avx2) return {"avx512", walks_avx512};
  if (avx2 && !lower_to_generic) return {"avx2", walks_avx2};
#endif
  return {"generic", walks_generic};
}

const InstructionSet& chosen() {
  static const InstructionSet set = choose();
  return set;
}

}  // namespace

Walk cpu_walk(Variant variant, Element element) {
  const Walks& walks = chosen().walks[static_cast<int>(variant)];
  switch (element) {
    case Element::kFloat16:
      return walks.float16;
    case Element::kFloat64:
      return walks.float64;
    default:
      return walks.float32;
  }
}

const char* cpu_isa() { return chosen().name; }

}  // namespace onnx_snn
