"""Running mean and difference, the mean over time, synapses."""

from __future__ import annotations

import onnx_ir as ir

from converter.errors import RefusedError
from converter.graph.build import operand
from converter.nengo.script import Script
from snn_ops.ops import OPERATORS, decimal


def running(node: ir.Node, script: Script) -> None:
    """RunningMean and RunningDifference, which Nengo does not have."""
    _running(node, script, node.op_type)


def time_mean(node: ir.Node, script: Script) -> None:
    """The running mean: after the last step it is TimeMean, before it what TimeMean would be if time ended there."""
    _running(node, script, "RunningMean")


def synapse(node: ir.Node, script: Script) -> None:
    """nengo.Lowpass and nengo.Alpha as processes of a node, where they have no delay."""
    script.time_step(node)
    _check_at_rest(node, script)
    name, size = script.declare(node.outputs[0]), script.size(node.outputs[0])
    tau = decimal(node.attributes["tau"].as_float())
    script.add(f"{name} = nengo.Node(nengo.{node.op_type}({tau}), size_in={size}, size_out={size}, label={name!r})")
    script.add(f"connect({script.variable(node.inputs[0])}, {name})")


def _running(node: ir.Node, script: Script, neurons: str) -> None:
    _check_at_rest(node, script)
    name = script.declare(node.outputs[0])
    script.add(f"{name} = neurons({name!r}, {script.variable(node.inputs[0])}, {neurons}())")


def _check_at_rest(node: ir.Node, script: Script) -> None:
    """Raises RefusedError where a state, or the number of steps already done, is not 0."""
    for state in OPERATORS[node.op_type].carried.values():
        if script.constant(operand(node, state)).any():
            raise RefusedError(f"its state {state!r} is not 0: it begins in the middle of a run")
