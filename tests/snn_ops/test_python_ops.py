"""Backend "numpy": the references as ONNX Runtime operators, and what becomes of an exception in one."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import onnxruntime as ort
import pytest

pytest.importorskip("onnxruntime_extensions", reason="onnxruntime-extensions is not installed: extra python-ops")

import snn_ops
from converter.conversion.main import convert
from snn_ops import python_ops
from snn_ops.ops import OPERATORS
from snn_ops.single import SingleOperator
from tests.models import convnet, mlp, samples, save
from tests.ops.cases import CALLS, IDS, Shape, has_constant_current, random_inputs

QUICK = {"neuron": "if", "method": "percentile", "correction": "none"}
X = np.ones((6, 5), np.float32)
ONE = np.ones((), np.float32)


@pytest.mark.parametrize("element", [np.float32, np.float64], ids=["float32", "float64"])
@pytest.mark.parametrize(("op_type", "attributes"), CALLS, ids=IDS)
def test_every_operator(op_type, attributes, element) -> None:
    """Bit for bit the reference; in float64 also the native kernel's spikes."""
    operator = OPERATORS[op_type]
    for constant in (0, 1) if has_constant_current(op_type) else (0,):
        given = {**attributes, "constant_current": constant} if has_constant_current(op_type) else attributes
        run, native = (SingleOperator(op_type, backend=backend, **given) for backend in ("numpy", "native"))
        rng = np.random.default_rng(5)
        for shape in (Shape(9, 3, (4, 5)), Shape(30, 1, (17,)), Shape(1, 2, ()), Shape(5, 0, (3,))):
            inputs = random_inputs(op_type, shape, element, rng, constant_current=constant)
            found = run(*inputs)
            for tensor, got, want in zip(operator.outputs, found, operator.run(*inputs, **given), strict=True):
                assert (got.shape, got.dtype) == (want.shape, want.dtype)
                np.testing.assert_array_equal(got, want, err_msg=tensor.name)
            if element is np.float64 and operator.outputs[0].name == "spikes":
                np.testing.assert_array_equal(found[0], native(*inputs)[0])


@pytest.mark.parametrize("streaming", [False, True], ids=["plain", "streaming"])
@pytest.mark.parametrize("activation", ["Relu", "Tanh"])
@pytest.mark.parametrize("build", [mlp, convnet])
def test_whole_model(build, activation, streaming, tmp_path) -> None:
    model = build()
    for node in model.graph.node:
        node.op_type = activation if node.op_type == "Relu" else node.op_type
    x = samples(model)
    conversion = convert(save(model, tmp_path / "m.onnx"), x, streaming=streaming, n_steps=16, **QUICK)
    conversion.save(tmp_path / "m.snn.onnx")
    (expected,) = snn_ops.Session(tmp_path / "m.snn.onnx").run(x[:9])
    for source in (tmp_path / "m.snn.onnx", (tmp_path / "m.snn.onnx").read_bytes(), conversion.proto()):
        session = snn_ops.Session(source, backend="numpy")
        np.testing.assert_allclose(session.run(x[:9])[0], expected, rtol=1e-5, atol=1e-6)
    if streaming:
        stream = session.stream()
        for steps in (1, 4, 11):
            (y,) = stream.run(x[:9], steps)
        np.testing.assert_array_equal(y, session.run(x[:9])[0])


def test_an_exception_reaches_the_caller(monkeypatch) -> None:
    with pytest.raises(ValueError, match="IF: the first axis, 6, is not a multiple of n_steps, 4"):
        SingleOperator("IF", backend="numpy")(X, np.asarray(4), ONE, ONE, ONE)
    with pytest.raises(ValueError, match="LIF: attribute tau_rc must be above 0, it is 0"):
        SingleOperator("LIF", backend="numpy", tau_rc=0.0)(X, np.asarray(3), ONE, ONE, ONE)
    with pytest.raises(ValueError, match=r"IF: .*broadcast"):
        SingleOperator("IF", backend="numpy")(X, np.asarray(3), np.ones(4, np.float32), ONE, ONE)


BROKEN_MODEL = """
import sys
import numpy as np, snn_ops
from converter.conversion.main import convert
from snn_ops.ops import OPERATORS
from tests.models import mlp, samples, save

def own(*inputs, **attributes): raise LookupError("on purpose")
def interrupt(*inputs, **attributes): raise KeyboardInterrupt

path, x = save(mlp(), sys.argv[1] + "/m.onnx"), samples(mlp())
streaming = sys.argv[2] == "stream"
conversion = convert(path, x, streaming=streaming, neuron="if", method="percentile", correction="none")
imported = {opset.domain: opset.version for opset in conversion.proto().opset_import}
session = snn_ops.Session(conversion.proto(), backend="numpy")
(good,) = session.run(x[:3], n_steps=8)
stream = session.stream() if streaming else None
run = (lambda: stream.run(x[:3], 4)) if streaming else (lambda: session.run(x[:3], n_steps=8))
if streaming: run()
for name in ("IF", "TimeMean"):
    operator = OPERATORS[name].at(imported[snn_ops.DOMAIN])
    real = operator.reference
    for broken in (own, interrupt, lambda *a, **k: None, lambda *a, **k: (np.zeros(3),)):
        object.__setattr__(operator, "reference", broken)
        try: run()
        except BaseException as error: print(type(error).__name__, error)
        else: print("no error")
    object.__setattr__(operator, "reference", real)
np.testing.assert_array_equal(run()[0], good)
print("alive")
"""


@pytest.mark.parametrize("way", ["run", "stream"])
def test_a_broken_operator_does_not_end_the_process(way, tmp_path) -> None:
    """In a process of its own, which onnxruntime-extensions would abort."""
    done = subprocess.run(
        [sys.executable, "-c", BROKEN_MODEL, tmp_path, way], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == [
        *2 * ["LookupError", "KeyboardInterrupt", "TypeError", "ValueError"],
        "alive",
    ]
    assert lines[0] == lines[4] == "LookupError on purpose"


RAW_SESSION = """
import numpy as np, onnxruntime as ort, snn_ops
from snn_ops.python_ops import raising
from snn_ops.single import operator_model
options = snn_ops.register(ort.SessionOptions(), "numpy")
options.log_severity_level = 4
model = operator_model("IF", np.float32, [2, 0, 0, 0, 0], with_function=True)
session = ort.InferenceSession(model.SerializeToString(), options)
one = np.ones((), "f")
feed = dict(current=np.ones((6, 5), "f"), n_steps=np.asarray(4), threshold=one, voltage=one, net_count=one)
feed |= dict(step=np.asarray(0), voltage_base=np.zeros((), "f"), net_count_base=np.zeros((), "f"))
try:
    with raising(): session.run(None, feed)
except ValueError as error: print("caught", error)
print([array.size for array in session.run(None, feed)])
feed["n_steps"] = np.asarray(3)
with raising(): print(session.run(None, feed)[0].sum())
"""


def test_a_session_of_onnx_runtime(tmp_path) -> None:
    """`register` and `raising`; without `raising` the traceback is printed and the outputs are empty."""
    done = subprocess.run([sys.executable, "-c", RAW_SESSION], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "caught IF: the first axis, 6, is not a multiple of n_steps, 4",
        "[0, 0, 0, 0, 0, 0]",
        "30.0",
    ]
    assert done.stderr.count("ValueError: IF: the first axis, 6, is not a multiple of n_steps, 4") == 1


def test_threads_keep_their_own_errors(tmp_path) -> None:
    """Eight callers of one session, every other one with input that an operator refuses."""
    run = SingleOperator("IF", backend="numpy")
    good = (X, np.asarray(3), ONE, ONE, np.zeros((), np.float32))
    expected = run(*good)

    def caller(index: int) -> str:
        try:
            outputs = run(*good) if index % 2 else run(X, np.asarray(7 + index), ONE, ONE, ONE)
        except ValueError as error:
            return str(error).rsplit(" ", 1)[1]
        for a, b in zip(outputs, expected, strict=True):
            np.testing.assert_array_equal(a, b)
        return "good"

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(caller, range(64)))
    assert found[::2] == [str(7 + index) for index in range(0, 64, 2)]
    assert set(found[1::2]) == {"good"}


def test_float16_is_refused_before_a_session_is_made() -> None:
    model = onnx.parser.parse_model(
        """<ir_version: 9, opset_import: ["" : 18, "onnx_snn" : 1]>
        m (float16[N,4] x, int64 n_steps, float t) => (float16[M,4] y) {
          z = Neg(x)  [layer] y, v, c = onnx_snn.IF<max_spikes = 1, signed = 0, constant_current = 0>(z, n_steps, t, t, t) }"""
    )
    with pytest.raises(python_ops.PythonOperatorsError, match=r"node 'layer' computes in float16, backend 'numpy' in"):
        snn_ops.Session(model, backend="numpy")


def test_only_one_python_backend_in_a_process() -> None:
    snn_ops.register(ort.SessionOptions(), "numpy")
    with pytest.raises(
        python_ops.PythonOperatorsError, match="runs the Python operators on 'numpy'; use another process"
    ):
        snn_ops.register(ort.SessionOptions(), "cupy")
    with pytest.raises(ValueError, match="there is no backend 'tpu'; choose one of native, functions, numpy, cupy"):
        snn_ops.register(ort.SessionOptions(), "tpu")


def test_parallel_execution_is_refused() -> None:
    """There, operators would run in threads that no caller knows."""
    options = ort.SessionOptions()
    options.execution_mode = ort.ExecutionMode.ORT_PARALLEL
    with pytest.raises(python_ops.PythonOperatorsError, match="sequential"):
        snn_ops.register(options, "numpy")


def test_other_python_operators_go_on() -> None:
    """Those that somebody else gave to onnxruntime-extensions, before or after."""
    script = """
import numpy as np, onnx, onnxruntime as ort, snn_ops
from onnxruntime_extensions import onnx_op, PyOp, get_library_path
@onnx_op(op_type="theirs::Twice", inputs=[PyOp.dt_float], outputs=[PyOp.dt_float])
def twice(x): return 2 * x
options = snn_ops.register(ort.SessionOptions(), "numpy")
model = onnx.parser.parse_model('<ir_version: 9, opset_import: ["" : 18, "theirs" : 1]>'
                                'm (float[N] x) => (float[N] y) { y = theirs.Twice(x) }')
print(ort.InferenceSession(model.SerializeToString(), options).run(None, {"x": np.ones(2, "f")})[0])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout == "[2. 2.]\n", done.stderr


def test_without_the_package_it_says_what_to_install() -> None:
    script = """
import sys; sys.modules["onnxruntime_extensions"] = None
import onnxruntime as ort, snn_ops
try: snn_ops.register(ort.SessionOptions(), "numpy")
except snn_ops.python_ops.PythonOperatorsError as error: print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout == "backend 'numpy' needs onnxruntime-extensions: pip install 'onnx-snn[python-ops]'\n", (
        done.stderr
    )
