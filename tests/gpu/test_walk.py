"""How the CUDA library starts its kernels: how often, and what it tells them of operands."""

from __future__ import annotations

import numpy as np
import pytest

from snn_ops import cupy_ops
from snn_ops.ops import OPERATORS, STEP_OUT
from tests.gpu.host import headers
from tests.ops.cases import Shape, random_inputs
from tools.gpu import library


@pytest.fixture(scope="module")
def device(tmp_path_factory) -> library.Device:
    target = tmp_path_factory.mktemp("kernels") / "kernels.so"
    library.build_for_host(target, headers())
    return library.Device(target)


@pytest.mark.parametrize("op_type", ["SigmaDelta", "RunningMean", "TimeMean", "PoissonSpiking"])
@pytest.mark.parametrize(
    ("neurons", "in_place", "launches"), [(17, False, 1), (16, False, 1), (16, True, 2), (0, False, 1), (0, True, 1)]
)
def test_one_launch_counts_steps_too(op_type, neurons, in_place, launches, device, monkeypatch, capfd) -> None:
    """A second one where `step` is in place: threads of the first may still have to read it."""
    operator, rng = OPERATORS[op_type], np.random.default_rng(0)
    assert operator.kernel is not None
    inputs = random_inputs(op_type, Shape(3, 1, (neurons,)), np.float32, rng)
    bound = cupy_ops.bind(device, operator, operator.kernel, inputs, operator.defaults)
    last = device.empty((), np.dtype(np.int64))
    bound.call.last_step = bound.call.first_step if in_place else device.address(last)
    last = device.array_at(bound.call.last_step)
    monkeypatch.setenv("REHEARSAL_LOG", "1")
    capfd.readouterr()
    bound.launch()
    device.synchronize()
    assert capfd.readouterr().err.splitlines().count("cuda: kernel") == launches
    expected = operator.run(*inputs)
    assert device.download(last) == expected[operator.outputs.index(STEP_OUT)]
    np.testing.assert_allclose(device.download(bound.outputs[0]), expected[0], rtol=1e-5)


def test_an_operator_that_counts_nothing(device, monkeypatch, capfd) -> None:
    operator = OPERATORS["IF"]
    assert operator.kernel is not None
    monkeypatch.setenv("REHEARSAL_LOG", "1")
    for neurons, launches in ((5, 1), (0, 0)):
        inputs = random_inputs("IF", Shape(3, 1, (neurons,)), np.float32, np.random.default_rng(0))
        bound = cupy_ops.bind(device, operator, operator.kernel, inputs, operator.defaults)
        capfd.readouterr()
        bound.launch()
        assert capfd.readouterr().err.splitlines().count("cuda: kernel") == launches


@pytest.mark.parametrize(
    ("shape", "neurons", "axes"),
    [
        ((), (2, 3), []),
        ((1, 1), (2, 3), []),
        ((3,), (2, 3), [(1, 3, 1)]),
        ((2, 3), (2, 3), [(1, 6, 1)]),
        ((2, 3, 4), (2, 3, 4), [(1, 24, 1)]),
        ((3, 1, 1), (2, 3, 5, 7), [(35, 3, 1)]),
        ((2, 1, 1, 1), (2, 3, 5, 7), [(105, 2, 1)]),
        ((3, 1, 7), (2, 3, 5, 7), [(1, 7, 1), (35, 3, 7)]),
        ((2, 1, 3, 1, 2, 1, 2, 1), (2, 2, 3, 2, 2, 2, 2, 2), [(2, 2, 1), (8, 2, 2), (32, 3, 4), (192, 2, 12)]),
    ],
)
def test_axes_of_an_operand(shape, neurons, axes) -> None:
    """Neighbours along which it changes are one: a channel has one axis, however many the neurons have."""
    array = np.arange(np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)
    operand = cupy_ops._operand(array, neurons, lambda array: array.ctypes.data)
    found = [(axis.inner, axis.length, axis.stride) for axis in operand.axis[: operand.n_axes]]
    assert found == axes
    places = np.zeros(np.prod(neurons), int)
    for inner, length, stride in axes:
        places += np.arange(places.size) // inner % length * stride
    np.testing.assert_array_equal(array.ravel()[places], np.broadcast_to(array, neurons).ravel())
