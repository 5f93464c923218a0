"""What an operator of ONNX-SNN is: a signature, an equation, a NumPy reference and a function body.

A file of this folder defines one operator. From its `Operator` come the schema that ``onnx.checker`` uses, the ONNX
function that makes a model run without the native library, and the generated operator table.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnx.parser

from snn_ops.format import DOMAIN, LOWEST_ONNX_OPSET, OPSET_VERSION
from snn_ops.ops._inference import infer_temporal

_CURRENT, _STATE, _INT64 = "T", "S", "tensor(int64)"


@dataclass(frozen=True)
class Tensor:
    """An input or output. ``type`` is "T" (currents and spikes), "S" (parameters and states) or "tensor(int64)"."""

    name: str
    type: str
    description: str


@dataclass(frozen=True)
class Range:
    """Which numbers an attribute may be, in words and as a test."""

    text: str
    contains: Callable[[float], bool]


ANY = Range("", lambda value: True)
ABOVE_0 = Range("above 0", lambda value: value > 0)
NOT_NEGATIVE = Range("not negative", lambda value: value >= 0)
NOT_ABOVE_0 = Range("not above 0", lambda value: value <= 0)
AT_LEAST_1 = Range("at least 1", lambda value: value >= 1)
FLAG = Range("0 or 1", lambda value: value in (0, 1))


@dataclass(frozen=True)
class Attribute:
    """An attribute; ``type(default)`` is its type, float or int."""

    name: str
    default: float | int
    description: str
    range: Range = ANY

    def checked(self, value: float) -> float | int:
        """The number that is meant.

        Raises:
            ValueError: it is not finite, not an integer where one is wanted, or outside the range.
        """
        if isinstance(self.default, float):
            wanted, good = "finite", math.isfinite(value)
        else:
            wanted, good = "an integer of 64 bits", abs(value) < 2**63 and value == int(value)
        if good:
            wanted, good = self.range.text, self.range.contains(value)
        if not good:
            raise ValueError(f"attribute {self.name} must be {wanted}, it is {value:g}")
        return decimal(value) if isinstance(self.default, float) else int(value)


def _one_number(name: str, value: Any) -> int:
    """The number, from an array of any shape that holds nothing else.

    Raises:
        ValueError: it holds more, or nothing.
    """
    if np.size(value) != 1:
        raise ValueError(f"{name} must be one number, its shape is {list(np.shape(value))}")
    return int(np.asarray(value).item())


def current(name: str, description: str) -> Tensor:
    """A tensor that runs through time, ``[T*B, ...]``, time-major."""
    return Tensor(name, _CURRENT, description)


def parameter(name: str, description: str) -> Tensor:
    """A value per neuron that stays; broadcasts against ``[B, ...]`` as in NumPy."""
    return Tensor(name, _STATE, description)


def state(name: str, description: str) -> Tensor:
    """A value per neuron that evolves; broadcasts against ``[B, ...]`` as in NumPy."""
    return Tensor(name, _STATE, description)


def integer(name: str, description: str) -> Tensor:
    """An int64 scalar."""
    return Tensor(name, _INT64, description)


N_STEPS = integer("n_steps", "number of time steps T, at least 1")
STEP = integer("step", "number of time steps already done by earlier chunks of the same run")
FIRST_SAMPLE = integer("first_sample", "number of samples already done by earlier batches of the same run")
STEP_OUT = integer("step_out", "step + n_steps")
DT = Attribute("dt", 0.001, "length of a time step in seconds", ABOVE_0)
SEED = Attribute(
    "seed", 0, "of the random numbers; layers that shall be independent need different seeds", NOT_NEGATIVE
)
CONSTANT_CURRENT = Attribute(
    "constant_current", 0, "1: the first input is [B, ...] and the same at every step; 0: it is [T*B, ...]", FLAG
)


@dataclass(frozen=True)
class Operator:
    """One operator.

    Attributes:
        name: the op_type.
        summary: one line.
        equation: what happens in one time step.
        inputs, outputs, attributes: the signature; a node passes every input and writes every attribute.
        twin: the class elsewhere that computes the same, or "".
        reference: ``reference(*inputs, **attributes) -> tuple of outputs``, in NumPy.
        body: the function body in ONNX's text syntax.
        infer: type and shape inference for ``onnx.shape_inference``.
    """

    name: str
    summary: str
    equation: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    attributes: tuple[Attribute, ...]
    reference: Callable[..., tuple[np.ndarray, ...]]
    body: str
    twin: str = ""
    infer: Callable[[Operator, Any], None] = infer_temporal

    @property
    def defaults(self) -> dict[str, float | int]:
        return {a.name: a.default for a in self.attributes}

    def run(self, *inputs: Any, **attributes: float | int) -> tuple[np.ndarray, ...]:
        """The NumPy reference on arrays, attributes as a node would carry them.

        Raises:
            TypeError: an attribute that the operator does not have.
            ValueError: a shape, number or attribute that it does not take.
        """
        values = self.values(attributes)
        with np.errstate(all="ignore"):
            return self.reference(*self.named(inputs).values(), **values)

    def named(self, inputs: Sequence[Any]) -> dict[str, Any]:
        """The inputs by name, numbers as such.

        Raises:
            ValueError: there are more or fewer inputs than the operator has, or several numbers for one.
        """
        pairs = zip(self.inputs, inputs, strict=True)
        return {t.name: _one_number(t.name, given) if t.type == _INT64 else given for t, given in pairs}

    def values(self, attributes: Mapping[str, float | int]) -> dict[str, float | int]:
        """All attributes as the numbers that they mean, from those that a node carries.

        Raises:
            TypeError: an attribute that the operator does not have.
            ValueError: a number that an attribute may not be.
        """
        unknown = attributes.keys() - self.defaults.keys()
        if unknown:
            raise TypeError(f"{self.name} has no attribute {min(unknown)!r}; it has {sorted(self.defaults)}")
        return {a.name: a.checked(attributes.get(a.name, a.default)) for a in self.attributes}

    def schema(self) -> onnx.defs.OpSchema:
        """The schema for ``onnx.defs.register_schema``, with type and shape inference."""
        schema = onnx.defs.OpSchema(
            self.name,
            DOMAIN,
            OPSET_VERSION,
            f"{self.summary}\n\n{self.equation}",
            inputs=[onnx.defs.OpSchema.FormalParameter(t.name, t.type, t.description) for t in self.inputs],
            outputs=[
                onnx.defs.OpSchema.FormalParameter(
                    t.name,
                    t.type,
                    t.description,
                    param_option=onnx.defs.OpSchema.FormalParameterOption.Optional
                    if i
                    else onnx.defs.OpSchema.FormalParameterOption.Single,
                )
                for i, t in enumerate(self.outputs)
            ],
            type_constraints=self._type_constraints(),
            attributes=[_schema_attribute(a) for a in self.attributes],
        )
        schema.set_type_and_shape_inference_function(functools.partial(self.infer, self))
        return schema

    def function(self, opset: int = LOWEST_ONNX_OPSET) -> onnx.FunctionProto:
        """The operator as an ONNX function that imports the standard domain in version `opset`.

        Raises:
            ValueError: opset below `LOWEST_ONNX_OPSET`.
        """
        if opset < LOWEST_ONNX_OPSET:
            raise ValueError(f"function bodies need opset {LOWEST_ONNX_OPSET}, not {opset}")
        attributes = ", ".join(f"{a.name}: {_text_type(a)} = {a.default!r}" for a in self.attributes)
        text = f"""
        <domain: "{DOMAIN}", opset_import: ["" : {opset}]>
        {self.name} {f"<{attributes}>" if attributes else ""}
        ({", ".join(t.name for t in self.inputs)}) => ({", ".join(t.name for t in self.outputs)})
        {{ {self.body} }}
        """
        function = onnx.parser.parse_function(text)
        function.doc_string = f"{self.summary}\n{self.equation}"
        return function

    def _type_constraints(self) -> list[tuple[str, list[str], str]]:
        constraints = [(_CURRENT, ["tensor(float16)", "tensor(float)", "tensor(double)"], "currents and spikes")]
        if any(t.type == _STATE for t in self.inputs):
            constraints.append(
                (
                    _STATE,
                    ["tensor(float)", "tensor(double)"],
                    "parameters and states: float32 where T is float16, else T",
                )
            )
        return constraints


def decimal(value: float) -> float:
    """The number that a float32 attribute means: its six significant digits (so 0.0199999996 is 0.02)."""
    return float(f"{np.float32(value):.5e}")


def _text_type(attribute: Attribute) -> str:
    return "float" if isinstance(attribute.default, float) else "int"


def _schema_attribute(attribute: Attribute) -> onnx.defs.OpSchema.Attribute:
    make = onnx.helper.make_attribute(attribute.name, attribute.default)
    description = f"{attribute.description} ({attribute.range.text})" if attribute.range.text else attribute.description
    return onnx.defs.OpSchema.Attribute(attribute.name, make, description)
