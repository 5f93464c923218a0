"""What ONNX Runtime's profiler says of each node and each run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from converter.bench.runs import Place
from snn_ops.files import temporary_folder
from snn_ops.session import Session

_SUFFIX = "_kernel_time"
_RUN = "model_run"
_WITH_SUBGRAPHS = ("If", "Loop", "Scan")
"""Nodes of their subgraphs have events of their own, which lie inside theirs."""


@dataclass(frozen=True)
class NodeEvent:
    """One run of a node of the main graph, nodes of its subgraphs included.

    Attributes:
        name: as ONNX Runtime calls the node.
        op_type: of the node that ran.
        seconds: it took.
        input_shapes, output_shapes: of what it took and gave; weights that were packed before are missing.
        bytes_moved: of its inputs that are not weights, and of its outputs.
        parameter_bytes: of its weights, without those that were packed before.
    """

    name: str
    op_type: str
    seconds: float
    input_shapes: Sequence[tuple[int, ...]]
    output_shapes: Sequence[tuple[int, ...]]
    bytes_moved: int
    parameter_bytes: int


@dataclass(frozen=True)
class Call:
    """One call of a model, which may be several runs of ONNX Runtime.

    Attributes:
        seconds: of these runs, what happens between the nodes included.
        nodes: in their order.
    """

    seconds: float
    nodes: Sequence[NodeEvent]


@contextmanager
def profiled(model: onnx.ModelProto, place: Place) -> Iterator[Session]:
    """A session with ONNX Runtime's profiler on; `calls_of` ends the profile, which is thrown away with the session."""
    with temporary_folder() as folder:
        yield place.session(model, profile=folder / "profile")


def calls_of(session: Session, count: int) -> list[Call]:
    """What the profiler saw.

    Args:
        session: of `profiled`.
        count: how many calls there were, all of as many runs of ONNX Runtime.
    """
    return read_calls(json.loads(Path(session.ort.end_profiling()).read_text()), count)


def read_calls(events: Sequence[Mapping[str, Any]], count: int) -> list[Call]:
    """The events of a profile, by call.

    Args:
        events: as ONNX Runtime writes them, in microseconds.
        count: how many calls there were, all of as many runs. Those that the profiler had no room for are missing at the end.
    """
    runs = sorted((event for event in events if event["name"] == _RUN), key=lambda event: event["ts"])
    nodes = sorted(
        (event for event in events if event["cat"] == "Node" and event["name"].endswith(_SUFFIX)),
        key=lambda event: (event["ts"], -event["dur"]),
    )
    by_run: list[list[NodeEvent]] = []
    position = 0
    for run in runs:
        begin, end = run["ts"], run["ts"] + run["dur"]
        found, last = [], begin
        while position < len(nodes) and nodes[position]["ts"] < end:
            node = nodes[position]
            if node["ts"] >= last:  # else it is a node of a subgraph
                found.append(_node_event(node))
                if node["args"]["op_name"] in _WITH_SUBGRAPHS:
                    last = node["ts"] + node["dur"]
            position += 1
        by_run.append(found)
    per_call = max(1, len(runs) // count)
    calls = []
    for start in range(0, len(runs) - per_call + 1, per_call):
        part = slice(start, start + per_call)
        seconds = sum(run["dur"] for run in runs[part]) / 1e6
        calls.append(Call(seconds, [node for found in by_run[part] for node in found]))
    return calls


def _node_event(event: Mapping[str, Any]) -> NodeEvent:
    arguments = event["args"]
    return NodeEvent(
        event["name"].removesuffix(_SUFFIX),
        arguments["op_name"],
        event["dur"] / 1e6,
        _shapes(arguments.get("input_type_shape", ())),
        _shapes(arguments.get("output_type_shape", ())),
        int(arguments.get("activation_size", 0)) + int(arguments.get("output_size", 0)),
        int(arguments.get("parameter_size", 0)),
    )


def _shapes(tensors: Sequence[Mapping[str, Sequence[int]]]) -> list[tuple[int, ...]]:
    """[{"float": [8, 1]}] -> [(8, 1)]"""
    return [tuple(shape) for tensor in tensors for shape in tensor.values()]
