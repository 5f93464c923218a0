"""Running mean and difference, the mean over time, synapses."""

from __future__ import annotations

import onnx_ir as ir

from converter.errors import RefusedError
from converter.graph.build import operand
from converter.nengo.script import Script
from snn_ops.ops import decimal


def running(node: ir.Node, script: Script) -> None:
    """RunningMean and RunningDifference, which Nengo has not."""
    _running(node, script, node.op_type, "sum" if node.op_type == "RunningMean" else "total")


def time_mean(node: ir.Node, script: Script) -> None:
    """The running mean: after the last step it is TimeMean, before it what TimeMean would be if time ended there."""
    _running(node, script, "RunningMean", "sum")


def synapse(node: ir.Node, script: Script) -> None:
    """nengo.Lowpass and nengo.Alpha as processes of a node, where they have no delay."""
    script.time_step(node)
    states = ("filtered",) if node.op_type == "Lowpass" else ("first", "filtered")
    _at_rest(node, script, *states)
    name, size = script.declare(node.outputs[0]), script.size(node.outputs[0])
    tau = decimal(node.attributes["tau"].as_float())
    script.add(f"{name} = nengo.Node(nengo.{node.op_type}({tau}), size_in={size}, size_out={size}, label={name!r})")
    script.add(f"connect({script.variable(node.inputs[0])}, {name})")


def _running(node: ir.Node, script: Script, kind: str, state: str) -> None:
    _at_rest(node, script, state, "step")
    name = script.declare(node.outputs[0])
    script.add(f"{name} = neurons({name!r}, {script.variable(node.inputs[0])}, {kind}())")


def _at_rest(node: ir.Node, script: Script, *states: str) -> None:
    for state in states:
        if script.constant(operand(node, state)).any():
            raise RefusedError(f"its state {state!r} is not 0: it begins in the middle of a run")
