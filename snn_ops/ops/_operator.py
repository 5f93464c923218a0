"""What an operator of ONNX-SNN is: one declaration, from which all else follows.

A file of this folder declares one operator. From its `Operator` come the schema that ``onnx.checker`` uses, the ONNX function
that makes a model run without the native library, the Python operators, the C++ signatures of the native library, the public
functions and the page docs/operators.md.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import onnx
import onnx.parser

from snn_ops.format import DOMAIN, LOWEST_ONNX_OPSET
from snn_ops.ops._inference import infer
from snn_ops.ops._kernel import Kernel
from snn_ops.ops._signature import (
    CONSTANT_CURRENT,
    FIRST_SAMPLE,
    N_STEPS,
    SEED,
    STEP,
    STEP_OUT,
    Attribute,
    Attributes,
    Height,
    Kind,
    Parameter,
    State,
    Tensor,
    Time,
)

_FINAL = "[B, ...], after the last step"


@dataclass(frozen=True, kw_only=True)
class Operator:
    """One operator.

    A node passes every input and writes every attribute. The order of inputs is: input, n_steps, parameters, states, step,
    first_sample, bases of states; of outputs: output, the states after the last step, step + n_steps, bases.

    Bases joined in version 2 of the domain and stand behind all else, as whatever joins later must: ONNX Runtime keeps one
    schema for each name of a custom operator, so that the native library knows a node's version by its number of inputs.

    Attributes:
        name: the op_type.
        summary: one line.
        equation: what happens in one time step; steps of it end in "; ".
        input: what it takes first.
        output: what it gives first.
        parameters: values per neuron that stay.
        states: values per neuron that evolve. The first decides on a spike.
        attributes: declared without `SEED` and `CONSTANT_CURRENT`, which join where `draws` and where time is `Time.STEPS`.
        reference: ``reference(*inputs, **attributes) -> tuple of outputs``, in NumPy.
        body: the function body in ONNX's text syntax.
        kernel: the compiled neuron; None where there is none, only data to move.
        time: what it does with time.
        counts_steps: it needs to know how many steps were done before: the input step, the output step_out.
        draws: it draws random numbers: the input first_sample, the attribute seed.
        takes: what its input is: a "current", which adds up over the steps, or a "target", a function of the mean up to now.
        height: how high its spikes are; None where the output is no spikes.
        code: how its spikes carry a value: "rate", their mean over time is the value; "delta", each is a change of the value;
            None where the output is no spikes.
        train: the operator whose spikes this one gives the mean of: it takes that mean, held for all steps, and the same
            parameters. "" where the output is the spikes, or nobody can tell one from another.
        has_closed_form_rate: the firing rate at a current that stays is known in closed form, so that it can be trained by it.
        usual: lowest and highest input worth trying.
        twin: the class elsewhere that computes the same, or "".
        since_version: the version of the domain in which it became what it is here.
        earlier: what it was in the version before; files of earlier releases hold it.
    """

    name: str
    summary: str
    equation: str
    input: Tensor
    output: Tensor
    parameters: tuple[Parameter, ...] = ()
    states: tuple[State, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    reference: Callable[..., tuple[np.ndarray, ...]]
    body: str
    kernel: Kernel | None = None
    time: Time = Time.STEPS
    counts_steps: bool = False
    draws: bool = False
    takes: Literal["current", "target"] = "current"
    height: Height | None = None
    code: Literal["rate", "delta"] | None = None
    train: str = ""
    has_closed_form_rate: bool = True
    usual: tuple[float, float] = (-1.0, 3.0)
    twin: str = ""
    since_version: int = 1
    earlier: Operator | None = None

    def __post_init__(self) -> None:
        joining = [(SEED, self.draws), (CONSTANT_CURRENT, self.time is Time.STEPS)]
        new = [attribute for attribute, joins in joining if joins and attribute not in self.attributes]
        object.__setattr__(self, "attributes", (*self.attributes, *new))

    @functools.cached_property
    def inputs(self) -> tuple[Tensor, ...]:
        """All inputs, in the order of a node."""
        against = f"the {self.input.name}" if self.time is Time.NONE else "[B, ...]"
        parameters = [(p.name, f"{'above 0; ' if p.above_0 else ''}{p.description}") for p in self.parameters]
        states = [(s.name, s.description) for s in self.states]
        return (
            self.input,
            *([] if self.time is Time.NONE else [N_STEPS]),
            *(Tensor(n, Kind.STATE, f"{text}; broadcasts against {against}") for n, text in (*parameters, *states)),
            *([STEP] if self.counts_steps else []),
            *([FIRST_SAMPLE] if self.draws else []),
            *(Tensor(s.name, Kind.STATE, f"{s.description}; broadcasts against {against}") for s in self.bases),
        )

    @functools.cached_property
    def outputs(self) -> tuple[Tensor, ...]:
        """All outputs, in the order of a node."""
        return (
            self.output,
            *(Tensor(s.output, Kind.STATE, ", ".join(filter(None, [_FINAL, s.after]))) for s in self.states),
            *([STEP_OUT] if self.counts_steps else []),
            *(Tensor(s.output, Kind.STATE, _FINAL) for s in self.bases),
        )

    @functools.cached_property
    def bases(self) -> tuple[State, ...]:
        """The bases of those states that have one."""
        return tuple(state.base for state in self.states if state.has_base)

    @functools.cached_property
    def values(self) -> tuple[State, ...]:
        """All that a kernel keeps for each neuron: the states, each followed by its base."""
        return tuple(value for s in self.states for value in ([s, s.base] if s.has_base else [s]))

    @property
    def versions(self) -> tuple[Operator, ...]:
        """What it was and is, the oldest first."""
        return (*(self.earlier.versions if self.earlier else ()), self)

    def at(self, version: int) -> Operator:
        """What it is in a file that imports this version of the domain."""
        return self if version >= self.since_version or self.earlier is None else self.earlier.at(version)

    @property
    def file(self) -> str:
        """The name of the file that declares it, which is also that of the public function: ``snn_ops.if_``."""
        return self.reference.__module__.rpartition(".")[2]

    @property
    def defaults(self) -> dict[str, float | int]:
        """All attributes at their defaults."""
        return {a.name: a.default for a in self.attributes}

    @property
    def carried(self) -> dict[str, str]:
        """What a run in chunks of time hands on from each chunk to the next: inputs by the outputs that feed them."""
        states = {state.output: state.name for state in (*self.states, *self.bases)}
        return {**states, STEP_OUT.name: STEP.name} if self.counts_steps else states

    @property
    def gives_mean(self) -> bool:
        """Whether the output is a mean over time already, ``[B, ...]``."""
        return self.time in (Time.LAST, Time.AT_ONCE)

    def run(self, *inputs: Any, **attributes: float | int) -> tuple[np.ndarray, ...]:
        """The NumPy reference on arrays, attributes as a node would carry them.

        Raises:
            TypeError: an attribute that the operator does not have.
            ValueError: a shape, number or attribute that it does not take.
        """
        checked = self.checked_attributes(attributes)
        with np.errstate(all="ignore"):
            return self.reference(*self.inputs_by_name(inputs).values(), **checked)

    def inputs_by_name(self, inputs: Sequence[Any]) -> dict[str, Any]:
        """The inputs by name, numbers of steps and samples as int.

        Raises:
            ValueError: there are more or fewer inputs than the operator has, or several numbers for one.
        """
        pairs = zip(self.inputs, self.completed(inputs), strict=True)
        return {t.name: _one_number(t.name, given) if t.kind is Kind.INTEGER else given for t, given in pairs}

    def completed(self, inputs: Sequence[Any]) -> Sequence[Any]:
        """The inputs, with 0 for those that version 1 did not have, where they were left out."""
        if len(inputs) < len(self.at(1).inputs):
            return inputs
        element = np.asarray(inputs[0]).dtype
        return [*inputs, *(np.zeros((), t.kind.dtype(element)) for t in self.inputs[len(inputs) :])]

    def checked_attributes(self, attributes: Attributes) -> dict[str, float | int]:
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
        formal = onnx.defs.OpSchema.FormalParameter
        options = onnx.defs.OpSchema.FormalParameterOption
        schema = onnx.defs.OpSchema(
            self.name,
            DOMAIN,
            self.since_version,
            f"{self.summary}\n\n{self.equation}",
            inputs=[formal(t.name, t.kind.value, t.description) for t in self.inputs],
            outputs=[
                formal(t.name, t.kind.value, t.description, param_option=options.Optional if i else options.Single)
                for i, t in enumerate(self.outputs)
            ],
            type_constraints=self._type_constraints(),
            attributes=[_schema_attribute(a) for a in self.attributes],
        )
        schema.set_type_and_shape_inference_function(functools.partial(infer, self.outputs, self.time))
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
        constraints = [
            (Kind.CURRENT.value, ["tensor(float16)", "tensor(float)", "tensor(double)"], "currents and spikes")
        ]
        if self.parameters or self.states:
            constraints.append(
                (
                    Kind.STATE.value,
                    ["tensor(float)", "tensor(double)"],
                    "parameters and states: float32 where T is float16, else T",
                )
            )
        return constraints


def _one_number(name: str, value: Any) -> int:
    """The number, from an array of any shape that holds nothing else.

    Raises:
        ValueError: it holds more, or nothing.
    """
    if np.size(value) != 1:
        raise ValueError(f"{name} must be one number, its shape is {list(np.shape(value))}")
    return int(np.asarray(value).item())


def _text_type(attribute: Attribute) -> str:
    return "float" if isinstance(attribute.default, float) else "int"


def _schema_attribute(attribute: Attribute) -> onnx.defs.OpSchema.Attribute:
    make = onnx.helper.make_attribute(attribute.name, attribute.default)
    description = f"{attribute.description} ({attribute.range.text})" if attribute.range.text else attribute.description
    return onnx.defs.OpSchema.Attribute(attribute.name, make, description)
