"""Writes the C++ side of the operators' declarations into kernels/generated: `make docs`.

signatures.h   a struct per operator: its names, what it does with time, its attributes with defaults and ranges
variants.h     the compiled neurons
operators.h    the list that kernels/register.cc registers

They are checked in, so that the library is built without Python; a test holds them current.
"""

from __future__ import annotations

from pathlib import Path

from snn_ops.ops import OPERATORS, Attribute, Kernel, Operator, Time
from snn_ops.ops._signature import ABOVE_0, ANY, AT_LEAST_1, FLAG, NOT_ABOVE_0, NOT_NEGATIVE, Range

FOLDER = Path(__file__).parents[1] / "kernels" / "generated"
HEADER = "// Written by tools/signatures.py from snn_ops/ops (`make docs`): change it there."
READERS: dict[tuple[type, Range], tuple[str, str]] = {
    (float, ANY): ("double", "number"),
    (float, ABOVE_0): ("double", "positive_number"),
    (float, NOT_NEGATIVE): ("double", "non_negative_number"),
    (float, NOT_ABOVE_0): ("double", "non_positive_number"),
    (int, NOT_NEGATIVE): ("int64_t", "non_negative_integer"),
    (int, AT_LEAST_1): ("int64_t", "positive_integer"),
    (int, FLAG): ("bool", "flag"),
}
"""The C++ type of an attribute, and the method of kernels/ort/attributes.h that reads it, by its type and range."""
KEYWORDS = {"signed"}
"""Names of attributes that are words of C++: their members end in an underscore."""


def neurons() -> dict[str, tuple[Operator, Kernel]]:
    """Operators with a kernel. TimeRepeat, which has none, is kernels/ort/time_repeat.h."""
    return {name: (op, op.kernel) for name, op in OPERATORS.items() if op.kernel is not None}


def signatures() -> str:
    """generated/signatures.h."""
    return "\n".join(
        [
            HEADER,
            "#pragma once",
            "#include <array>",
            "",
            '#include "operators/operator.h"',
            "",
            "namespace onnx_snn {",
            "",
            *(line for operator, kernel in neurons().values() for line in [*_signature(operator, kernel), ""]),
            "}  // namespace onnx_snn",
            "",
        ]
    )


def variants() -> str:
    """generated/variants.h.

    Raises:
        ValueError: two operators mean different neurons by one name.
    """
    structs: dict[str, str] = {}
    kernels = [(name, of) for name, (op, _) in neurons().items() for of in reversed([v.kernel for v in op.versions])]
    for name, kernel in kernels:
        for variant, struct in (kernel.variants if kernel else {}).items():
            if structs.setdefault(variant, struct) != struct:
                raise ValueError(f"{name}: the variant {variant} is {structs[variant]} already, not {struct}")
    return "\n".join(
        [
            HEADER,
            "// The compiled neurons: each is one in the CPU and one in the CUDA library. An operator picks among its variants",
            "// at run time (operators/NAME.h), so that a loop over neurons holds no branch on an attribute.",
            "#pragma once",
            '#include "neurons.h"',
            "",
            "// name, struct in neurons.h",
            "#define SNN_VARIANTS(X) \\",
            " \\\n".join(f"  X({variant}, {struct})" for variant, struct in structs.items()),
            "",
            "namespace onnx_snn {",
            "",
            "enum class Variant {",
            *(f"  {variant}," for variant in structs),
            "};",
            "",
            "}  // namespace onnx_snn",
            "",
        ]
    )


def operators() -> str:
    """generated/operators.h."""
    files = sorted(f'#include "operators/{operator.file.rstrip("_")}.h"' for operator, _ in neurons().values())
    return "\n".join(
        [
            HEADER,
            "#pragma once",
            *files,
            "",
            "#define SNN_OPERATORS(X) \\",
            " \\\n".join(f"  X({name}Operator)" for name in neurons()),
            "",
        ]
    )


def _signature(operator: Operator, kernel: Kernel) -> list[str]:
    """The struct that the operator's own, in operators/NAME.h, is derived from."""
    name = f"{operator.name}Signature"
    read = [(_member(a), *READERS[type(a.default), a.range], a) for a in operator.attributes]
    initialisers = [f'{member}(attributes.{reader}("{a.name}", {_default(a)}))' for member, _, reader, a in read]
    constructor = f"  explicit {name}(const Attributes&{' attributes' if read else ''})"
    body = [f"{constructor} {{}}"]
    if read:
        body = [constructor, "      : " + ",\n        ".join(initialisers) + " {}"]
    return [
        f"struct {name} {{",
        f'  static constexpr const char* kName = "{operator.name}";',
        f"  static constexpr Time kTime = Time::{_time(operator.time)};",
        f'  static constexpr const char* kInput = "{operator.input.name}";',
        _names("kParameters", [parameter.name for parameter in operator.parameters]),
        _names("kStates", [state.name for state in operator.values]),
        _flags("kIsBase", [state in operator.bases for state in operator.values]),
        f"  static constexpr bool kCountsSteps = {_bool(operator.counts_steps)};",
        f"  static constexpr bool kCountsSteps1 = {_bool(operator.at(1).counts_steps)};  // in version 1 of the domain",
        f"  static constexpr bool kCountsSamples = {_bool(operator.draws)};",
        "",
        *(f"  {kind} {member};" for member, kind, _, _ in read),
        *([""] if read else []),
        *body,
        *_variant("variant", kernel),
        *(_variant("variant_1", operator.earlier.kernel) if operator.earlier and operator.earlier.kernel else []),
        "};",
    ]


def _variant(method: str, kernel: Kernel) -> list[str]:
    """The method that names the compiled neuron, where there is only one."""
    only = next(iter(kernel.variants)) if len(kernel.variants) == 1 else None
    return [f"  Variant {method}(const TemporalCall&, Element) const {{ return Variant::{only}; }}"] if only else []


def _flags(member: str, flags: list[bool]) -> str:
    return f"  static constexpr std::array<bool, {len(flags)}> {member}{{{', '.join(map(_bool, flags))}}};"


def _names(member: str, names: list[str]) -> str:
    quoted = ", ".join(f'"{name}"' for name in names)
    return f"  static constexpr std::array<const char*, {len(names)}> {member}{{{quoted}}};"


def _time(time: Time) -> str:
    """As kernels/operators/operator.h calls it: AT_ONCE is kAtOnce."""
    return "k" + time.name.title().replace("_", "")


def _member(attribute: Attribute) -> str:
    return f"{attribute.name}_" if attribute.name in KEYWORDS else attribute.name


def _default(attribute: Attribute) -> str:
    is_flag = attribute.range is FLAG
    return _bool(bool(attribute.default)) if is_flag else repr(attribute.default)


def _bool(value: bool) -> str:
    return "true" if value else "false"


def files() -> dict[Path, str]:
    """What this module writes."""
    return {
        FOLDER / "signatures.h": signatures(),
        FOLDER / "variants.h": variants(),
        FOLDER / "operators.h": operators(),
    }
