"""The profiler's events, planted and real."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from converter.bench.events import calls_of, profiled, read_calls
from converter.bench.runs import Place
from tests.models import mlp, samples, text_model


def run(ts: int, dur: int) -> dict[str, Any]:
    return {"cat": "Session", "name": "model_run", "ts": ts, "dur": dur}


def node(name: str, ts: int, dur: int, **arguments: Any) -> dict[str, Any]:
    return {"cat": "Node", "name": f"{name}_kernel_time", "ts": ts, "dur": dur, "args": {"op_name": name, **arguments}}


def test_nodes_inside_a_node_are_part_of_it() -> None:
    events = [
        node("Add", 111, 10),  # the profiler writes a Scan after what is in it
        node("Mul", 121, 9),
        node("Scan", 110, 20),
        node("Relu", 130, 0),
        node("Gemm", 130, 5),
        {"cat": "Node", "name": "Gemm_fence_before", "ts": 129, "dur": 1, "args": {}},
        run(100, 40),
        {"cat": "Session", "name": "session_initialization", "ts": 0, "dur": 90},
    ]
    (call,) = read_calls(events, 1)
    assert call.seconds == pytest.approx(40e-6)
    found = [(event.op_type, round(event.seconds * 1e6)) for event in call.nodes]
    assert sorted(found) == [("Gemm", 5), ("Relu", 0), ("Scan", 20)]


def test_a_call_of_several_runs() -> None:
    """Two calls of two runs each; of a third the profiler saw one run, then it was full."""
    events = [event for i in range(5) for event in (node("Gemm", 100 * i, 10 + i), run(100 * i, 50))]
    calls = read_calls(events, 2)
    assert [round(call.seconds * 1e6) for call in calls] == [100, 100]
    assert [[round(event.seconds * 1e6) for event in call.nodes] for call in calls] == [[10, 11], [12, 13]]


def test_shapes_and_bytes() -> None:
    sizes = {"activation_size": "96", "output_size": "32", "parameter_size": "8"}
    event = node(
        "Gemm",
        0,
        1,
        input_type_shape=[{"float": [3, 8]}, {"float": []}],
        output_type_shape=[{"float": [1, 8]}],
        **sizes,
    )
    ((found,),) = (call.nodes for call in read_calls([event, run(0, 2)], 1))
    assert found.input_shapes == [(3, 8), ()]
    assert found.output_shapes == [(1, 8)]
    assert (found.bytes_moved, found.parameter_bytes) == (128, 8)


def test_what_onnx_runtime_writes() -> None:
    """The sizes are those of the tensors, the nodes lie in their run."""
    x = samples(mlp(), 10)
    with profiled(mlp(), Place(backend="functions", threads=1)) as session:
        for _ in range(4):
            session.ort.run(None, {"x": x})
        calls = calls_of(session, 4)
    assert len(calls) == 4
    for call in calls:
        assert call.seconds >= sum(event.seconds for event in call.nodes)
        first = call.nodes[0]
        assert first.input_shapes[0] == (10, 8)
        assert first.output_shapes == [(10, 16)]
        assert first.bytes_moved == 4 * (10 * 8 + 10 * 16)


def test_a_loop_of_onnx_runtime() -> None:
    """Its body runs 50 times; it is one node."""
    model = text_model(
        """
        loop (float[N] x) => (float[N] y)
        {
          n = Constant<value_int = 50>()
          go = Constant<value = bool {1}>()
          y = Loop(n, go, x) <body = body (int64 i, bool c, float[N] v) => (bool d, float[N] w) { d = Identity(c) w = Sin(v) }>
        }
        """
    )
    with profiled(model, Place(backend="functions", threads=1)) as session:
        session.ort.run(None, {"x": np.ones(3, np.float32)})
        (call,) = calls_of(session, 1)
    assert [event.op_type for event in call.nodes] == ["Loop"]
