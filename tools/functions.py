"""Writes the public functions from the operators' declarations: `make docs`.

snn_ops/functions.py   a function per operator that runs its native kernel: ``snn_ops.lif(current, n_steps, ...)``
snn_ops/reference.py   the same with the NumPy references: ``snn_ops.reference.lif(current, n_steps, ...)``

They are checked in, so that editors and mypy see them; a test holds them current.
"""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from pathlib import Path

from snn_ops.ops import OPERATORS, Attribute, Kind, Operator, Tensor, Time
from snn_ops.ops._signature import FLAG

FOLDER = Path(__file__).parents[1] / "snn_ops"
WIDTH = 120

NATIVE = '''"""A function per operator: its native kernel on NumPy arrays, without a model.

Written by tools/functions.py from snn_ops/ops (`make docs`): change it there.

Signals are time-major: ``[T*B, ...]`` holds step 0 of all B samples, then step 1, and so on; T is ``n_steps``. Signals are
float16, float32 or float64 and are computed in that type (float16 in float32); other numbers count as float64. Parameters and
states broadcast against ``[B, ...]`` as in NumPy, and are at rest unless they are given.

A function returns the output alone where there is nothing else, or else a named tuple: the output first, then the states after
the last step, by the names of the arguments. So a long run goes in chunks of time::

    done = snn_ops.lif(current[:100], n_steps=100)
    done = snn_ops.lif(current[100:], n_steps=100, voltage=done.voltage, refractory_time=done.refractory_time)

All raise ValueError for a number of steps, a shape or an attribute that the operator does not take, TypeError for what is no
number, and ModuleNotFoundError where the package onnx is missing, which the first call imports. `snn_ops.reference` has the
same functions in NumPy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
'''

REFERENCE = '''"""The functions of `snn_ops.functions`, computed by the NumPy references of the operators.

Written by tools/functions.py from snn_ops/ops (`make docs`): change it there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
'''

RUN = '''
def _run(op_type: str, inputs: Sequence[Any], attributes: Mapping[str, float]) -> tuple[Any, ...]:
    """Imports onnx, with which the operators are declared, when the first function is called."""
    try:
        from snn_ops import single  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"{{op_type}} needs {{error.name}}: pip install {{error.name}}", name=error.name) from error
    return single.{way}(op_type, inputs, attributes)
'''


def functions() -> str:
    """snn_ops/functions.py."""
    results = "".join(_result(operator) for operator in OPERATORS.values() if len(operator.outputs) > 1)
    return "".join([NATIVE, _all(), results, "\n" + RUN.format(way="native"), *map(_native, OPERATORS.values())])


def reference() -> str:
    """snn_ops/reference.py."""
    names = sorted((_result_name(op) for op in OPERATORS.values() if len(op.outputs) > 1), key=str.lower)
    imports = "\nfrom snn_ops.functions import (\n" + "".join(f"    {name},\n" for name in names) + ")\n"
    run = "\n" + RUN.format(way="reference")
    return "".join([REFERENCE, imports, _all(), run, *map(_in_numpy, OPERATORS.values())])


def _all() -> str:
    return "\n__all__ = [\n" + "".join(f'    "{operator.file}",\n' for operator in OPERATORS.values()) + "]\n"


def _result_name(operator: Operator) -> str:
    return f"{operator.name}Result"


def _result(operator: Operator) -> str:
    """The named tuple that a function returns."""
    fields = "".join(
        f"    {name}: {'int' if tensor.kind is Kind.INTEGER else 'np.ndarray'}\n" for tensor, name in _outputs(operator)
    )
    return f'''

class {_result_name(operator)}(NamedTuple):
    """What `{operator.file}` returns."""

{fields}'''


def _outputs(operator: Operator) -> list[tuple[Tensor, str]]:
    """The outputs, and their names in a result: states are called as the arguments that they can be given to."""
    return [(tensor, operator.carried.get(tensor.name, tensor.name)) for tensor in operator.outputs]


def _native(operator: Operator) -> str:
    return _function(operator, _docstring(operator))


def _in_numpy(operator: Operator) -> str:
    return _function(operator, f'    """`snn_ops.functions.{operator.file}` in NumPy."""\n')


def _function(operator: Operator, docstring: str) -> str:
    several = len(operator.outputs) > 1
    inputs = ", ".join(tensor.name for tensor in operator.inputs)
    attributes = "".join(f'            "{a.name}": {a.name},\n' for a in operator.attributes)
    keywords = "".join(f"    {a.name}: {_type(a)} = {_default(a)},\n" for a in operator.attributes)
    arguments = "".join(f"    {line},\n" for line in _positional(operator))
    given = f"{{\n{attributes}        }}" if attributes else "{}"
    call = f'_run(\n        "{operator.name}",\n        ({inputs}),\n        {given},\n    )'
    body = f"    return {_result_name(operator)}(*outputs)\n" if several else f"    return {operator.output.name}\n"
    target = "outputs" if several else f"{operator.output.name}: np.ndarray\n    ({operator.output.name},)"
    returned = _result_name(operator) if several else "np.ndarray"
    star = "    *,\n" if keywords else ""
    return f"\n\ndef {operator.file}(\n{arguments}{star}{keywords}) -> {returned}:\n{docstring}    {target} = {call}\n{body}"


def _positional(operator: Operator) -> list[str]:
    """The inputs, in the order of a node: those that have no default first."""
    defaults = {parameter.name: repr(parameter.default) for parameter in operator.parameters}
    defaults |= {state.name: repr(state.rest) for state in operator.values if not callable(state.rest)}
    lines = [f"{operator.input.name}: ArrayLike"]
    for tensor in operator.inputs[1:]:
        if tensor.kind is Kind.INTEGER:
            lines.append(f"{tensor.name}: int" if tensor.name == "n_steps" else f"{tensor.name}: int = 0")
        else:
            kind, default = (
                ("ArrayLike", defaults[tensor.name]) if tensor.name in defaults else ("ArrayLike | None", "None")
            )
            lines.append(f"{tensor.name}: {kind} = {default}")
    return lines


def _type(attribute: Attribute) -> str:
    return "bool" if attribute.range is FLAG else type(attribute.default).__name__


def _default(attribute: Attribute) -> str:
    return repr(bool(attribute.default)) if attribute.range is FLAG else repr(attribute.default)


def _docstring(operator: Operator) -> str:
    rest = {state.name for state in operator.states if callable(state.rest)}
    arguments = [(t.name, t.description + ("; by default at rest" if t.name in rest else "")) for t in operator.inputs]
    ranges = {a.name: f" ({a.range.text})" if a.range.text and a.range is not FLAG else "" for a in operator.attributes}
    arguments += [(a.name, _described(a) + ranges[a.name]) for a in operator.attributes]
    returns = [(name, tensor.description) for tensor, name in _outputs(operator)]
    lines = [
        f'"""{operator.summary}',
        "",
        *(line for step in operator.equation.split("; ") for line in _wrapped(step)),
        "",
        "Args:",
        *(line for name, text in arguments for line in _entry(name, text)),
        "",
        "Returns:",
        *(line for name, text in returns for line in _entry(name, text)),
        "",
        "Raises:",
        *_entry("ValueError", _errors(operator)),
        *_source(operator),
        '"""',
    ]
    return "".join(f"    {line}\n" if line else "\n" for line in lines)


def _errors(operator: Operator) -> str:
    reasons = [] if operator.time is Time.NONE else ["n_steps is below 1"]
    if operator.time in (Time.STEPS, Time.LAST):
        reasons.append("n_steps does not divide the first axis")
    if operator.parameters or operator.states:
        reasons.append("an operand does not broadcast")
    if operator.attributes:
        reasons.append("an attribute is outside its range")
    return ", or ".join(reasons)


def _described(attribute: Attribute) -> str:
    """A flag's description, "1: ...; 0: ...", in words of bool."""
    text = attribute.description
    return (
        re.sub(r"(^|; )0: ", r"\1False: ", re.sub(r"(^|; )1: ", r"\1True: ", text)) if attribute.range is FLAG else text
    )


def _entry(name: str, text: str) -> list[str]:
    return _wrapped(f"{name}: {text}.")


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH - 4, initial_indent=" " * 4, subsequent_indent=" " * 8)


def _source(operator: Operator) -> list[str]:
    """The paragraph of the module's docstring that names its sources."""
    paragraphs = inspect.cleandoc(sys.modules[operator.reference.__module__].__doc__ or "").split("\n\n")
    found = [" ".join(text.split()) for text in paragraphs if text.startswith("Source")]
    return ["", *textwrap.wrap(found[0], WIDTH - 4)] if found else []


def files() -> dict[Path, str]:
    """What this module writes."""
    return {FOLDER / "functions.py": functions(), FOLDER / "reference.py": reference()}
