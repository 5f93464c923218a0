"""From a spiking model to the text of a Python script that builds it in Nengo.

The script is the one way to Nengo: `to_nengo` executes it, `export nengo` writes it to a file. Its function ``build`` declares
the network, one statement after another in the order of the graph; `converter.nengo.handlers` says which for each operator.
"""

from __future__ import annotations

import builtins
import inspect
import keyword
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import ModuleType

import numpy as np
import onnx_ir as ir

from converter.errors import RefusedError
from converter.graph.build import constant_of, operand, operator_of
from converter.graph.shapes import Shapes
from converter.nengo import functions, parts
from snn_ops.ops import OPERATORS, State, Unit, decimal

Shape = tuple[int, ...]
_DEFAULT_DT = 0.001
_TAKEN = frozenset({"index", "inputs", "net", "synapse", "w", *vars(parts), *vars(functions), *vars(builtins)})


@dataclass(frozen=True)
class TrainableWeight:
    """A weight that training may change.

    Attributes:
        name: of the initialiser.
        to_onnx: from the numbers of Nengo's connection to those of the initialiser.
    """

    name: str
    to_onnx: Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Population:
    """A layer of neurons, as the checks see it.

    Attributes:
        node: its name in the graph.
        op_type: the operator.
        shape: of one sample.
        value: the name of the operator's output.
        resting_value: of neurons whose output is the sum of their spikes, what it begins with; else None.
    """

    node: str
    op_type: str
    shape: Shape
    value: str
    resting_value: np.ndarray | None = None


@dataclass
class Script:
    """A network as statements, with the arrays that they use.

    Attributes:
        model: the spiking model.
        shapes: of its values, for one sample and one step.
        label: the network's.
        n_steps: how many steps a script runs, unless its user says.
        slots: of a model without a time axis (two-phase), how many spikes a neuron may send in its one step; else None.
        core_neurons: only neurons that Nengo itself has; see `make_script`.
        readout_tau: of the synapse that reads outputs; see `make_script`.
        lines: the statements.
        inputs: the number of elements of each input.
        arrays: what goes into the script's `.npz`, by name.
        parameters: the weights that training may change, by name.
        populations: the layers of neurons.
        notes: what a user should know.
        dt: the time step in seconds, as far as an operator has one.
    """

    model: ir.Model
    shapes: Shapes
    label: str
    n_steps: int
    slots: int | None = None
    core_neurons: bool = False
    readout_tau: float | None = None
    lines: list[str] = field(default_factory=list)
    inputs: dict[str, int] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    parameters: dict[str, TrainableWeight] = field(default_factory=dict)
    populations: list[Population] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    dt: float | None = None
    _variables: dict[str, str] = field(default_factory=dict)
    _names: set[str] = field(default_factory=set)

    def shape(self, value: ir.Value) -> Shape:
        """Of one sample, without the batch axis."""
        shape = self.shapes[str(value.name)]
        if not shape or shape[0] != 1:
            raise RefusedError(f"value {value.name!r} does not begin with the batch axis")
        return shape[1:]

    def size(self, value: ir.Value) -> int:
        """Elements of one sample."""
        return int(np.prod(self.shape(value), dtype=int))

    def is_signal(self, value: ir.Value | None) -> bool:
        """Whether the value is computed in every step, not a constant."""
        return value is not None and str(value.name) in self._variables

    def variable(self, value: ir.Value | None) -> str:
        """The Python name of a value that was declared."""
        assert value is not None
        return self._variables[str(value.name)]

    def declare(self, value: ir.Value) -> str:
        """A new Python name for a value."""
        name = self._variables[str(value.name)] = self.new_name(str(value.name))
        return name

    def new_name(self, text: str) -> str:
        """A Python name that nothing else has."""
        name = re.sub(r"\W", "_", text, flags=re.ASCII) or "_"
        name = f"v_{name}" if name[0].isdigit() or keyword.iskeyword(name) or name in _TAKEN else name
        while name in self._names:
            name += "_"
        self._names.add(name)
        return name

    def alias(self, new: ir.Value, old: ir.Value) -> None:
        """The same numbers in another shape."""
        self._variables[str(new.name)] = self.variable(old)

    def constant(self, value: ir.Value | None) -> np.ndarray:
        """A constant's numbers.

        Raises:
            RefusedError: it is computed when the model runs.
        """
        array = constant_of(value)
        if array is None:
            name = value.name if value is not None else ""
            raise RefusedError(f"its input {name!r} must be a constant, but is computed when the model runs")
        return array

    def weights(self, value: ir.Value) -> str:
        """The expression for an initialiser's numbers; they go into the script's `.npz`."""
        return self.array(str(value.name), self.constant(value))

    def weights_of_one_sample(self, value: ir.Value, shape: Shape) -> str:
        """The expression for numbers that are broadcast to the shape of a sample: a leading 1 stands for the batch."""
        axes = tuples(self.constant(value).shape)
        return self.weights(value) + (f".reshape{axes[1:]}" if len(axes) > len(shape) else "")

    def array(self, name: str, array: np.ndarray) -> str:
        """The expression for numbers that go into the script's `.npz`."""
        known = self.arrays.setdefault(name, array)
        assert known is array or np.array_equal(known, array), name
        return f"w[{name!r}]"

    def train(self, value: ir.Value, to_onnx: Callable[[np.ndarray], np.ndarray]) -> str:
        """The left side of an assignment that makes a connection's weights trainable; empty where they cannot be."""
        name = str(value.name)
        if len(value.uses()) != 1:
            note = f"{name!r} is used {len(value.uses())} times: it is not trained"
            if note not in self.notes:
                self.notes.append(note)
            return ""
        self.parameters[name] = TrainableWeight(name, to_onnx)
        return f"net.parameters[{name!r}] = "

    def spread(self, node: ir.Node, name: str, shape: Shape) -> str:
        """The expression for an operand of one of our operators, one number for each element."""
        return f"spread({self.weights_of_one_sample(operand(node, name), shape)}, {shape})"

    def spread_state(self, node: ir.Node, state: State, shape: Shape) -> str:
        """The same for an initial state. One that has a base is the sum of both, in float64."""
        if state.base not in operator_of(node).bases:
            return self.spread(node, state.name, shape)
        value, base = operand(node, state.name), self.constant(operand(node, state.base.name))
        if not base.any():
            return self.spread(node, state.name, shape)
        total = np.float64(base) + self.constant(value)
        total = total.reshape(total.shape[1:]) if total.ndim > len(shape) else total
        return f"spread({self.array(f'{value.name} and base', total)}, {shape})"

    def add(self, line: str) -> None:
        """A statement."""
        self.lines.append(line)

    def comment(self, text: str) -> None:
        """A comment."""
        self.lines.append(f"# {_as_text(text)}")

    def declare_sum(self, value: ir.Value) -> str:
        """Declares a value that is the sum of what is connected to it."""
        name = self.declare(value)
        self.add(f"{name} = value({name!r}, {self.size(value)})")
        return name

    def population(self, node: ir.Node) -> None:
        """Remembers a layer of neurons under its variable."""
        output = node.outputs[0]
        shape = self.shape(output)
        height, rest = OPERATORS[node.op_type].height, None
        if height is not None and height.unit is Unit.DIFFERENTIAL:
            resting_value = self.constant(operand(node, "resting_value"))
            rest = np.broadcast_to(resting_value, (1, *shape)).ravel()
        self.populations.append(Population(str(node.name), node.op_type, shape, str(output.name), rest))

    @property
    def time_step_or_default(self) -> float:
        """In seconds."""
        return self.dt or _DEFAULT_DT

    def time_step(self, node: ir.Node) -> None:
        """All operators must have the same."""
        dt = decimal(node.attributes["dt"].as_float())
        if self.dt is not None and self.dt != dt:
            raise RefusedError(f"its time step is {dt} s, that of others {self.dt} s; Nengo has one for all")
        self.dt = dt

    def source(self, *, standalone: bool) -> str:
        """The script's text.

        Args:
            standalone: carry the parts along, and run as a program; else they are to be in the namespace already.
        """
        body = "\n".join(f"        {line}" for line in self.lines)
        build = f'''
def build(w, inputs=None, synapse=None):
    """The network {_as_text(self.label)}.

    Args:
        w: weights by name.
        inputs: what the input nodes put out, by name; a vector or a function of time.
        synapse: between neurons and what they drive; None: no filter and no delay.

    By name: net.inputs and net.outputs, nodes; net.populations, neurons by their node in the model, and net.layers, what they
    drive; net.parameters, the connections with trainable weights.
    """
    inputs = inputs or {{}}
    with nengo.Network(label={self.label!r}, seed=0) as net:
        net.inputs, net.outputs, net.populations, net.layers, net.parameters = {{}}, {{}}, {{}}, {{}}, {{}}
{body}
    return net
'''
        if not standalone:
            return build
        imports = "import argparse\nimport math\nfrom pathlib import Path\n\nimport nengo\nimport numpy as np\n"
        imports += "from nengo.dists import Choice\nfrom nengo.params import IntParam, NdarrayParam, NumberParam\n"
        return "\n\n".join((self._head(), imports, _text_of(parts), _text_of(functions), build, self._main()))

    def _head(self) -> str:
        return f'''"""{_as_text(self.label)}: a spiking network for Nengo, written by onnx-snn.

    python SCRIPT.py SAMPLES.npz [--steps N] [-o OUT.npz]

runs the samples (`x`, or an array per input) in nengo.Simulator, with the weights beside this file, and prints or writes the
outputs after the last step. `build` gives the network to other simulators. Its step is {self.time_step_or_default} s.
"""
'''

    def _main(self) -> str:
        return _MAIN.format(
            inputs=list(self.inputs),
            steps=self.n_steps,
            dt=self.time_step_or_default,
        )


_MAIN = '''
def main():
    """Runs samples."""
    parser = argparse.ArgumentParser()
    parser.add_argument("samples")
    parser.add_argument("--steps", type=int, default={steps})
    parser.add_argument("-o", "--out")
    arguments = parser.parse_args()
    with np.load(Path(__file__).with_suffix(".npz")) as archive:
        weights = {{name: archive[name] for name in archive.files}}
    with np.load(arguments.samples) as archive:
        samples = {{name: archive[name if name in archive.files else "x"] for name in {inputs}}}
    current = {{}}
    net = build(weights, {{name: lambda t, name=name: current[name] for name in samples}})
    with net:
        probes = {{name: nengo.Probe(y) for name, y in net.outputs.items()}}
    results = {{name: [] for name in probes}}
    with np.errstate(divide="ignore"), nengo.Simulator(net, dt={dt}, progress_bar=False) as sim:
        for index in range(len(next(iter(samples.values())))):
            current.update({{name: array[index].ravel().astype(float) for name, array in samples.items()}})
            sim.reset()
            sim.run_steps(arguments.steps, progress_bar=False)
            for name, probe in probes.items():
                results[name].append(sim.data[probe][-1])
    outputs = {{name: np.stack(rows) for name, rows in results.items()}}
    if arguments.out:
        np.savez(arguments.out, **outputs)
    else:
        for name, array in outputs.items():
            print(name, "largest:", array.argmax(axis=1))


if __name__ == "__main__":
    main()
'''


def _text_of(module: ModuleType) -> str:
    """A module's text from its first definition on."""
    source = inspect.getsource(module)
    return source[re.search(r"^(class|def) ", source, re.MULTILINE).start() :]  # type: ignore[union-attr]


def _as_text(text: str) -> str:
    """What a model's file says, such that it ends no comment and no docstring: it must not become statements."""
    return "".join(c if c.isprintable() and c not in '"\\' else "?" for c in text)


def tuples(values: Sequence[int]) -> Shape:
    """Plain integers, for a script's text."""
    return tuple(int(value) for value in values)
