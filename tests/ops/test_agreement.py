"""Native kernels, function bodies and the NumPy reference compute the same."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snn_ops.ops import OPERATORS
from tests.ops.cases import CALLS, CASES, IDS, Shape, has_constant_current, random_inputs
from tests.ops.provider import SingleOperator

shapes = st.builds(
    Shape,
    n_steps=st.integers(1, 100),
    batch=st.integers(0, 4),
    features=st.lists(st.integers(1, 7), max_size=3).map(tuple),
)


def test_every_operator_has_cases() -> None:
    """And none names an operand that its operator does not have."""
    assert set(CASES) == set(OPERATORS)
    for op_type, case in CASES.items():
        operator = OPERATORS[op_type]
        assert list(case.operands) == [operand.name for operand in (*operator.parameters, *operator.states)]


@pytest.mark.parametrize("backend", ["native", "functions"])
@pytest.mark.parametrize(("op_type", "attributes"), CALLS, ids=IDS)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(shape=shapes, seed=st.integers(0, 2**32 - 1), constant=st.integers(0, 1))
def test_float64_is_exact(op_type, attributes, backend, shape, seed, constant) -> None:
    constant *= has_constant_current(op_type)
    if constant:
        attributes = {**attributes, "constant_current": 1}
    inputs = random_inputs(op_type, shape, np.float64, np.random.default_rng(seed), constant_current=constant)
    expected = OPERATORS[op_type].run(*inputs, **attributes)
    found = SingleOperator(op_type, backend=backend, **attributes)(*inputs)
    for name, want, got in zip((o.name for o in OPERATORS[op_type].outputs), expected, found, strict=True):
        assert got.shape == want.shape, name
        assert got.dtype == want.dtype, name
        if name == "spikes":
            np.testing.assert_array_equal(got, want)
        else:
            np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("element", [np.float32, np.float16], ids=["float32", "float16"])
@pytest.mark.parametrize("backend", ["native", "functions"])
@pytest.mark.parametrize(("op_type", "attributes"), CALLS, ids=IDS)
def test_reduced_precision(op_type, attributes, backend, element) -> None:
    """At most 1 in 100,000 neuron-steps differs; 300,000 neuron-steps in odd shapes."""
    differing = total = 0
    rng = np.random.default_rng(1)
    constants = (0, 1) if has_constant_current(op_type) else (0,)
    for constant in constants:
        given_attributes = {**attributes, "constant_current": constant} if has_constant_current(op_type) else attributes
        run = SingleOperator(op_type, backend=backend, **given_attributes)
        for shape in (Shape(30, 3, (5, 7, 11)), Shape(100, 1, (1021,)), Shape(1, 17, (4, 3)), Shape(7, 0, (4,))):
            inputs = random_inputs(op_type, shape, element, rng, constant_current=constant)
            expected = OPERATORS[op_type].run(*inputs, **given_attributes)
            found = run(*inputs)
            found_names = [output.name for output in OPERATORS[op_type].outputs]
            for want, got in zip(expected, found, strict=True):
                assert got.shape == want.shape
                assert got.dtype == want.dtype
            if "spikes" in found_names:
                differing += int((found[0] != expected[0]).sum())
            else:
                tolerance = 2e-3 if element == np.float16 else 1e-5
                np.testing.assert_allclose(found[0], expected[0], rtol=tolerance, atol=tolerance * shape.n_steps)
            total += expected[0].size
    assert differing <= total / 100_000


@pytest.mark.parametrize("isa", ["generic", "avx2"])
def test_instruction_sets_agree(isa, monkeypatch) -> None:
    """IF and SigmaDelta in every instruction set give the same bits; run in a process of its own, since the choice is made
    once. The last output is written past the cache."""
    script = (
        "import numpy as np; from snn_ops.single import SingleOperator; rng = np.random.default_rng(0);"
        "x = rng.uniform(-1, 2, (64, 333)).astype('f'); n = np.asarray(16); z = np.float32(0);"
        "a = SingleOperator('IF', max_spikes=0)(x, n, np.float32(0.7), np.float32(0.35), z)[0];"
        "b = SingleOperator('SigmaDelta')(x, n, np.float32(0.7), z, np.asarray(0))[0];"
        "x = rng.uniform(-1, 2, (16, 600_001)).astype('f'); assert x.nbytes > 2**25;"
        "c = SingleOperator('IF', with_states=False)(x, n, np.float32(0.7), np.float32(0.35), z)[0];"
        "import hashlib; print(hashlib.sha256(a.tobytes() + b.tobytes() + c.tobytes()).hexdigest())"
    )

    def digest(name: str | None) -> str:
        if name:
            monkeypatch.setenv("ONNX_SNN_ISA", name)
        else:
            monkeypatch.delenv("ONNX_SNN_ISA", raising=False)
        return subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout

    assert digest(isa) == digest(None)


@pytest.mark.parametrize(("op_type", "attributes"), CALLS, ids=IDS)
def test_spikes_do_not_depend_on_whether_states_are_wanted(op_type, attributes) -> None:
    inputs = random_inputs(op_type, Shape(20, 2, (7, 41)), np.float32, np.random.default_rng(3))
    alone = SingleOperator(op_type, with_states=False, **attributes)(*inputs)
    np.testing.assert_array_equal(alone[0], SingleOperator(op_type, **attributes)(*inputs)[0])


@pytest.mark.parametrize("element", [np.float32, np.float16, np.float64], ids=["float32", "float16", "float64"])
def test_an_output_larger_than_the_cache_equals_its_pieces(element) -> None:
    """From 32 MiB on, outputs are written past the cache, in vectors with a head and a tail of single elements."""
    steps, neurons, pieces = np.asarray(9), 2_500_003, 10
    x = np.random.default_rng(4).uniform(0, 2, (9, neurons)).astype(element)
    inputs = [np.asarray(1, np.float64 if element is np.float64 else np.float32)] * 3
    run = SingleOperator("IF", with_states=False)
    whole = run(x, steps, *inputs)[0]
    assert whole.nbytes > 2**25
    parts = [run(part, steps, *inputs)[0] for part in np.array_split(x, pieces, axis=1)]
    np.testing.assert_array_equal(whole, np.concatenate(parts, axis=1))
