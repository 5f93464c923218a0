// One instruction set's table of compiled neurons. CMake compiles this file once per instruction set, with SNN_ISA set to
// its name and the compiler's flags to match.
#include "cpu/walk.h"

#include "cpu/dispatch.h"
#include "generated/variants.h"

namespace onnx_snn {

#define SNN_JOIN(a, b) a##b
#define SNN_TABLE(isa) SNN_JOIN(walks_, isa)

extern const Walks SNN_TABLE(SNN_ISA)[];
const Walks SNN_TABLE(SNN_ISA)[] = {
#define SNN_ROW(name, type) {walk<type, float>, walk<type, Half>, walk<type, double>},
    SNN_VARIANTS(SNN_ROW)
#undef SNN_ROW
};

}  // namespace onnx_snn
