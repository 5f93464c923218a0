"""The public functions: every operator as ``snn_ops.functions.NAME`` and ``snn_ops.reference.NAME`` on arrays."""

from __future__ import annotations

import inspect
import subprocess
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import snn_ops
from snn_ops import functions, reference
from snn_ops.ops import OPERATORS, Kind, Time
from tests.ops.cases import CALLS, IDS, Shape, random_inputs

MODULES = [functions, reference]
WAYS = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
X = np.random.default_rng(0).uniform(0, 4, (6, 5))


def called(module: ModuleType, op_type: str, *inputs: Any, **attributes: float | int) -> tuple[Any, ...]:
    """The results as a tuple, also of an operator with one output."""
    found = getattr(module, OPERATORS[op_type].file)(*inputs, **attributes)
    return found if isinstance(found, tuple) else (found,)


def integers(inputs: list[np.ndarray]) -> list[Any]:
    """Numbers of steps and samples as a caller writes them."""
    return [int(value) if value.dtype == np.int64 else value for value in inputs]


@pytest.mark.parametrize("element", [np.float16, np.float32, np.float64], ids=["float16", "float32", "float64"])
@pytest.mark.parametrize(("op_type", "attributes"), CALLS, ids=IDS)
def test_the_kernel_is_the_reference(op_type, attributes, element) -> None:
    operator = OPERATORS[op_type]
    inputs = random_inputs(op_type, Shape(9, 3, (4, 5)), element, np.random.default_rng(0))
    expected = operator.run(*inputs, **attributes)
    native, numpy = (called(module, op_type, *integers(inputs), **attributes) for module in MODULES)
    for tensor, want, ours, theirs in zip(operator.outputs, expected, native, numpy, strict=True):
        if tensor.kind is Kind.INTEGER:
            assert type(ours) is type(theirs) is int
            assert ours == theirs == want
            continue
        assert ours.dtype == theirs.dtype == tensor.kind.dtype(element)
        assert ours.shape == theirs.shape == want.shape
        np.testing.assert_array_equal(theirs, want)
        if element is np.float64 and tensor.name == "spikes":
            np.testing.assert_array_equal(ours, want)
        elif element is np.float64:
            np.testing.assert_allclose(ours, want, rtol=1e-12, atol=1e-12)
        elif op_type != "Izhikevich":  # chaotic in float32, see docs/FINDINGS.md
            assert np.isclose(ours, want, rtol=2e-3, atol=2e-3).mean() >= 0.99


@WAYS
@pytest.mark.parametrize("op_type", OPERATORS)
def test_defaults_are_a_run_from_rest(module, op_type) -> None:
    operator = OPERATORS[op_type]
    x = np.random.default_rng(0).uniform(*operator.usual, (12, 5))
    values = {"n_steps": 4, operator.input.name: x}
    values |= {state.name: state.at_rest(operator.defaults) for state in operator.states}
    values |= {parameter.name: parameter.default for parameter in operator.parameters}
    expected = operator.run(*(np.asarray(values.get(t.name, 0), t.kind.dtype(np.float64)) for t in operator.inputs))
    steps = {} if operator.time is Time.NONE else {"n_steps": 4}
    for found, want in zip(called(module, op_type, x, **steps), expected, strict=True):
        np.testing.assert_allclose(found, want, rtol=1e-12, atol=1e-12)


@WAYS
@pytest.mark.parametrize("op_type", OPERATORS)
def test_signatures_are_the_declarations(module, op_type) -> None:
    operator = OPERATORS[op_type]
    parameters = inspect.signature(getattr(module, operator.file)).parameters
    assert list(parameters) == [t.name for t in operator.inputs] + [a.name for a in operator.attributes]
    required = [name for name, parameter in parameters.items() if parameter.default is parameter.empty]
    assert required == [tensor.name for tensor in operator.inputs if tensor.name in (operator.input.name, "n_steps")]
    keywords = {name: p.default for name, p in parameters.items() if p.kind is p.KEYWORD_ONLY}
    assert keywords == operator.defaults


def test_all_operators_are_there() -> None:
    for module in MODULES:
        assert module.__all__ == [operator.file for operator in OPERATORS.values()]
    assert all(getattr(snn_ops, name) is getattr(functions, name) for name in functions.__all__)
    assert set(functions.__all__) <= set(snn_ops.__all__)


@WAYS
def test_a_result_goes_on_by_its_names(module) -> None:
    """Two chunks of time with the states handed on are one run; states are called as the arguments."""
    whole = module.sigma_delta(X, n_steps=6)
    first = module.sigma_delta(X[:2], n_steps=2)
    second = module.sigma_delta(X[2:], n_steps=4, net_count=first.net_count, step=first.step)
    np.testing.assert_array_equal(np.concatenate([first.spikes, second.spikes]), whole.spikes)
    assert second.step == whole.step == 6
    assert whole._fields == ("spikes", "net_count", "step", "net_count_base")


@WAYS
def test_one_output_comes_alone(module) -> None:
    np.testing.assert_array_equal(module.time_repeat([[1.0, 2.0]], n_steps=2), [[1, 2], [1, 2]])
    assert isinstance(module.lif_rate(X), np.ndarray)


@WAYS
def test_what_is_no_float_counts_as_float64(module) -> None:
    expected = module.if_(np.asarray([[1.0], [0.0], [2.0]]), 3, max_spikes=0)
    for x in ([[1], [0], [2]], np.asarray([[1], [0], [2]], np.uint8)):
        found = module.if_(x, n_steps=3, max_spikes=0)
        assert found.spikes.dtype == np.float64
        np.testing.assert_array_equal(found.spikes, expected.spikes)
    swapped = X.astype(X.dtype.newbyteorder(">"))
    np.testing.assert_array_equal(module.if_(swapped, 6).spikes, module.if_(X, 6).spikes)


@WAYS
def test_flags_are_bool(module) -> None:
    held = module.if_(X, n_steps=3, constant_current=True)
    assert held.spikes.shape == (18, 5)
    np.testing.assert_array_equal(held.spikes, module.if_(np.tile(X, (3, 1)), n_steps=3).spikes)


@WAYS
@pytest.mark.parametrize(
    ("arguments", "error", "reason"),
    [
        ({"n_steps": 0}, ValueError, "n_steps must be at least 1, it is 0"),
        ({"n_steps": 4}, ValueError, "is not a multiple of n_steps, 4"),
        ({"amplitude": np.ones(4)}, ValueError, "broadcast"),
        ({"voltage": np.ones((3, 5))}, ValueError, "broadcast"),
        ({"current": 1.0}, ValueError, "scalar"),
        ({"tau_rc": 0.0}, ValueError, "attribute tau_rc must be above 0, it is 0"),
        ({"constant_current": 2}, ValueError, "attribute constant_current must be 0 or 1, it is 2"),
        ({"tau_rc": 1e-60}, ValueError, "attribute tau_rc must be above 0, it is 0"),
        ({"tau_rc": 1e60}, ValueError, "attribute tau_rc must be finite, it is inf"),
        ({"tau_rc": "0.1"}, TypeError, "attribute tau_rc must be a number, it is '0.1'"),
        ({"n_steps": 2**70}, ValueError, "n_steps must be from 0 to"),
        ({"amplitude": None}, TypeError, "amplitude must be numbers, not None"),
        ({"n_steps": 1.5}, TypeError, "n_steps must be an integer, it is 1.5"),
        ({"n_steps": [3, 3]}, TypeError, r"n_steps must be an integer, it is \[3, 3\]"),
        ({"current": ["a"]}, TypeError, "current must be real numbers"),
        ({"current": X + 1j}, TypeError, "current must be real numbers, not complex128"),
    ],
)
def test_errors_begin_with_the_operator(module, arguments, error, reason) -> None:
    with pytest.raises(error, match=f"^LIF: .*{reason}"):
        module.lif(**{"current": X, "n_steps": 3, **arguments})
    assert module.lif(40 * X, n_steps=3).spikes.any()


@WAYS
@pytest.mark.parametrize("name", ["step", "first_sample"])
def test_numbers_done_before_are_not_negative(module, name) -> None:
    with pytest.raises(ValueError, match=f"^PoissonSpiking: {name} must be from 0 to"):
        module.poisson_spiking(X, n_steps=3, **{name: -1})


IMPORTS = """
import runpy, sys
runpy.run_path(sys.argv[1])
print("onnx" in sys.modules)
import snn_ops.functions, snn_ops.reference
sys.modules["onnx"] = None
for module in (snn_ops.functions, snn_ops.reference):
    try: module.lif([[1.0]], n_steps=1)
    except ModuleNotFoundError as error: print(error)
"""


def test_onnx_is_imported_by_a_call() -> None:
    """And named where it is missing."""
    command = [sys.executable, "-c", IMPORTS, functions.__file__]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "False\n" + "LIF needs onnx: pip install onnx\n" * 2, done.stderr
