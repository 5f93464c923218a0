"""Running mean and difference, the mean over time, synapses."""

from __future__ import annotations

import onnx_ir as ir

from converter.errors import RefusedError
from converter.graph.build import operand, operator_of
from converter.nengo.script import Script
from snn_ops.ops import decimal


def running(node: ir.Node, script: Script) -> None:
    """RunningMean and RunningDifference, which Nengo does not have."""
    _running(node, script, node.op_type)


def leaky_mean(node: ir.Node, script: Script) -> None:
    """LeakyMean, which Nengo does not have."""
    _running(node, script, "LeakyMean", f"steps={node.attributes['steps'].as_int()}")


def window_mean(node: ir.Node, script: Script) -> None:
    """The mean of the last steps, a process of a node."""
    name, size = script.declare(node.outputs[0]), script.size(node.outputs[0])
    process = f"WindowMean({node.attributes['steps'].as_int()})"
    script.add(f"{name} = nengo.Node({process}, size_in={size}, size_out={size}, label={name!r})")
    script.add(f"connect({script.variable(node.inputs[0])}, {name})")


def time_mean(node: ir.Node, script: Script) -> None:
    """The running mean: after the last step it is TimeMean, before it what TimeMean would be if time ended there.

    With a time constant for the readout, an Alpha synapse in its place: it answers for the present input.
    """
    if script.readout_tau is None:
        _running(node, script, "RunningMean")
        return
    _check_at_rest(node, script)
    name, size = script.declare(node.outputs[0]), script.size(node.outputs[0])
    alpha = f"nengo.Alpha({script.readout_tau})"
    script.add(f"{name} = nengo.Node({alpha}, size_in={size}, size_out={size}, label={name!r})")
    script.add(f"connect({script.variable(node.inputs[0])}, {name})")


def synapse(node: ir.Node, script: Script) -> None:
    """nengo.Lowpass and nengo.Alpha as processes of a node, where they have no delay."""
    script.time_step(node)
    _check_at_rest(node, script)
    name, size = script.declare(node.outputs[0]), script.size(node.outputs[0])
    tau = decimal(node.attributes["tau"].as_float())
    script.add(f"{name} = nengo.Node(nengo.{node.op_type}({tau}), size_in={size}, size_out={size}, label={name!r})")
    script.add(f"connect({script.variable(node.inputs[0])}, {name})")


def _running(node: ir.Node, script: Script, neurons: str, arguments: str = "") -> None:
    _check_at_rest(node, script)
    name = script.declare(node.outputs[0])
    script.add(f"{name} = neurons({name!r}, {script.variable(node.inputs[0])}, {neurons}({arguments}))")


def _check_at_rest(node: ir.Node, script: Script) -> None:
    """Raises RefusedError where a state, or the number of steps already done, is not 0."""
    for state in operator_of(node).carried.values():
        if script.constant(operand(node, state)).any():
            raise RefusedError(f"its state {state!r} is not 0: it begins in the middle of a run")
