"""Walks a spiking model and declares the same network in Nengo."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnx_ir as ir

from converter.errors import RefusedError
from converter.graph.build import name_nodes
from converter.io.files import check_writable, write_npz, write_whole
from converter.nengo.at_rest import at_rest
from converter.nengo.handlers import HANDLERS
from converter.nengo.script import Script
from converter.nengo.shapes import shapes_of_one_step
from converter.nengo.windows import window_nodes
from snn_ops.format import DOMAIN, N_STEPS, Metadata
from snn_ops.ops import OPERATORS, Time

REMEMBERING = frozenset({"IF", "SigmaDelta", "RunningMean", "RunningDifference"})
"""Operators that every earlier input has an effect on."""


def make_script(
    proto: onnx.ModelProto,
    *,
    core_neurons: bool = False,
    n_steps: int | None = None,
    readout_tau: float | None = None,
) -> Script:
    """Walks a spiking model and declares the same network in Nengo.

    Args:
        proto: the model.
        core_neurons: only neurons that Nengo itself has: IF becomes nengo.SpikingRectifiedLinear, which forgets negative
            currents and may spike several times in a step, so its spikes are not the model's.
        readout_tau: time constant in seconds of an Alpha synapse that outputs are read through, in the place of the mean over
            all steps: they answer for the present input then. None: that mean, as in the file.
        n_steps: T; default: the file's. What Nengo makes of a model without a time axis (two-phase) depends on it.

    Raises:
        RefusedError: it has something that Nengo does not have; the message names the node.
        FormatError: it is of a newer format, or the number of steps in its metadata is damaged.
    """
    proto = at_rest(proto)
    model = ir.from_proto(proto)
    name_nodes(model)
    window_nodes(model)
    if not any(node.domain == DOMAIN for node in model.graph):
        raise RefusedError("this is not a spiking model; make one with `onnx-snn convert`")
    metadata = Metadata.read(model.metadata_props)
    for node in model.graph:
        if (node.domain, node.op_type) not in HANDLERS:
            way_out = "; with --code rate a neuron may take its place" if metadata.code == "delta" else ""
            raise RefusedError(f"{node.op_type} has no counterpart in Nengo{way_out}", node=node.name)
    label, n_steps = metadata.source or model.graph.name or "network", n_steps or metadata.n_steps
    steps, slots = (1, n_steps) if _is_at_once(model) else (n_steps, None)
    script = Script(model, shapes_of_one_step(proto), label, steps, slots, core_neurons, readout_tau)
    if readout_tau is not None:
        _check_readout(model, metadata, readout_tau, script)
    for input in model.graph.inputs:
        if input.name == N_STEPS:
            continue
        variable = script.declare(input)
        size = script.inputs[str(input.name)] = script.size(input)
        current = f"inputs.get({input.name!r}, np.zeros({size}))"
        script.add(f"{variable} = nengo.Node({current}, size_out={size}, label={variable!r})")
        script.add(f"net.inputs[{input.name!r}] = {variable}")
    for node in model.graph:
        if not any(script.is_signal(value) for value in node.inputs):
            raise RefusedError(f"{node.op_type} does not depend on the input; fold constants first", node=node.name)
        try:
            script.comment(f"{node.op_type} {node.name}: {list(script.shape(node.outputs[0]))}")
            HANDLERS[node.domain, node.op_type](node, script)
        except RefusedError as error:
            raise RefusedError(f"{node.op_type}: {error}", node=node.name) from error
    for output in model.graph.outputs:
        if not script.is_signal(output):  # a state that the metadata do not name, or a constant
            raise RefusedError(f"its output {output.name!r} is not computed from its input, or is a neuron's state")
        script.add(f"net.outputs[{output.name!r}] = {script.variable(output)}")
    return script


def _check_readout(model: ir.Model, metadata: Metadata, tau: float, script: Script) -> None:
    """Raises RefusedError where the outputs answer for the present input already; notes what remembers earlier ones."""
    if tau <= 0:
        raise RefusedError(f"the readout's time constant must be above 0, it is {tau}")
    if not any(node.domain == DOMAIN and node.op_type == "TimeMean" for node in model.graph):
        kind = f"the readout {metadata.readout!r}" if metadata.code == "rate" else "the delta code"
        raise RefusedError(f"with {kind} its outputs are no means over all steps; leave --readout-tau out")
    remembering = sorted({node.op_type for node in model.graph if node.domain == DOMAIN} & REMEMBERING)
    if remembering:
        script.notes.append(
            f"{', '.join(remembering)} remember every earlier input, so outputs may not follow one that changes; convert with "
            "--streaming --readout leaky, --neuron lif or --code delta"
        )


def _is_at_once(model: ir.Model) -> bool:
    """Whether the model has no time axis: a neuron sends all its spikes at once.

    Raises:
        RefusedError: some of its operators do, others run through time.
    """
    times = {node: OPERATORS[node.op_type].time for node in model.graph if node.domain == DOMAIN}
    at_once = [node for node, time in times.items() if time is Time.AT_ONCE]
    if at_once and len(at_once) < len(times):
        raise RefusedError(f"{at_once[0].op_type} has no time axis, but other operators do", node=at_once[0].name)
    return bool(at_once)


def write_script(script: Script, path: str | Path) -> None:
    """Writes the script, and its weights beside it with the suffix `.npz`.

    Raises:
        RefusedError: the folder does not exist or cannot be written to.
    """
    path = Path(path)
    weights = path.with_suffix(".npz")
    check_writable(path, weights)
    write_npz(weights, script.arrays)
    write_whole(path, script.source(standalone=True).encode())
