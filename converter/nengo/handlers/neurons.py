"""Neurons: Nengo's own where it has them. What attributes and states they have follows from the operators' declarations."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from converter.errors import RefusedError
from converter.graph.build import operand, operator_of
from converter.nengo.script import Script
from snn_ops.format import STEP
from snn_ops.ops import OPERATORS, decimal

_OF_THE_NETWORK = frozenset({"dt", "constant_current", "smallest"})
"""Attributes that a neuron in Nengo does not have: the simulator has the time step, every input is a signal, and
denormal numbers are taken as they come."""


def integrate_and_fire(node: ir.Node, script: Script) -> None:
    """IF; Nengo's nearest is SpikingRectifiedLinear, which forgets negative currents."""
    shape = script.shape(node.outputs[0])
    threshold = script.spread(node, "threshold", shape)
    if script.core_neurons:
        _rectified(node, script, threshold)
        return
    _population(node, script, f"IF({threshold}, {_attributes(node)}, {_initial(node, script)})")


def bounded_if(node: ir.Node, script: Script) -> None:
    """BoundedIF; of Nengo's own neurons SpikingRectifiedLinear is the nearest, and forgets too."""
    threshold = script.spread(node, "threshold", script.shape(node.outputs[0]))
    if script.core_neurons:
        if node.attributes["signed"].as_int():
            raise RefusedError("Nengo itself has no neuron that sends negative spikes")
        _rectified(node, script, threshold)
        return
    _population(node, script, f"BoundedIF({threshold}, {_attributes(node)}, {_initial(node, script)})")


def _rectified(node: ir.Node, script: Script, threshold: str) -> None:
    """Nengo counts voltage in spikes: v += J dt, so J = current / (threshold dt) and a spike is 1 / dt high."""
    dt = script.time_step_or_default
    script.notes.append(
        f"{node.name!r}: nengo.SpikingRectifiedLinear forgets negative currents and may spike several times a step"
    )
    name = script.new_name(f"{script.variable(node.inputs[0])}_in_spikes")
    script.add(f"{name} = scaled({name!r}, {script.variable(node.inputs[0])}, 1 / ({threshold} * {dt}))")
    voltage = OPERATORS[node.op_type].states[0]
    state = f"{{'voltage': {script.spread_state(node, voltage, script.shape(node.outputs[0]))} / {threshold}}}"
    neurons = f"nengo.SpikingRectifiedLinear(amplitude={dt}, initial_state={state})"
    _population(node, script, neurons, x=name, factors=threshold)


def lif(node: ir.Node, script: Script) -> None:
    """nengo.LIF."""
    amplitude, factors = _spikes_of_height_1(node, script)
    neurons = f"nengo.LIF({_attributes(node)}, amplitude={amplitude}, {_initial(node, script)})"
    _population(node, script, neurons, factors=factors)


def adaptive_lif(node: ir.Node, script: Script) -> None:
    """nengo.AdaptiveLIF, with an amplitude for each neuron, as its adaptation depends on it."""
    script.time_step(node)
    amplitude, factors = _amplitude(node, script)
    begin = f"nengo.AdaptiveLIF(amplitude={amplitude}" if factors is None else f"AdaptiveLIF({factors}"
    _population(node, script, f"{begin}, {_attributes(node)}, {_initial(node, script)})")


def izhikevich(node: ir.Node, script: Script) -> None:
    """nengo.Izhikevich, whose spikes are 1 / dt high; amplitudes follow as factors."""
    script.time_step(node)
    amplitude, factors = _amplitude(node, script)
    if amplitude != 1:
        factors = script.spread(node, "amplitude", script.shape(node.outputs[0]))
    neurons = f"nengo.Izhikevich({_attributes(node)}, {_initial(node, script)})"
    _population(node, script, neurons, factors=factors)


def lif_rate(node: ir.Node, script: Script) -> None:
    """nengo.LIFRate."""
    _rate(node, script, "nengo.LIFRate")


def soft_lif_rate(node: ir.Node, script: Script) -> None:
    """SoftLIFRate, which NengoDL has and Nengo does not."""
    _rate(node, script, "SoftLIFRate")


def _rate(node: ir.Node, script: Script, neuron: str) -> None:
    amplitude, factors = _amplitude(node, script)
    _population(node, script, f"{neuron}({_attributes(node)}, amplitude={amplitude})", factors=factors)


def spikes_from_rate(node: ir.Node, script: Script) -> None:
    """nengo.RegularSpiking, PoissonSpiking, StochasticSpiking; the latter two draw their own random numbers."""
    amplitude, factors = _spikes_of_height_1(node, script)
    operator = OPERATORS[node.op_type]
    initial = f", {_initial(node, script)}" if operator.states else ""
    if operator.draws:
        script.notes.append(f"{node.name!r}: Nengo draws other random numbers")
    rate = "nengo.RectifiedLinear()" if script.core_neurons or node.op_type == "PoissonSpiking" else "Rate()"
    neurons = f"nengo.{node.op_type}({rate}, amplitude={amplitude}{initial})"
    _population(node, script, neurons, factors=factors)


def sigma_delta(node: ir.Node, script: Script) -> None:
    """SigmaDelta, which Nengo does not have."""
    if np.any(script.constant(operand(node, STEP))):
        raise RefusedError("it begins in the middle of a run")
    threshold = script.spread(node, "threshold", script.shape(node.outputs[0]))
    _population(node, script, f"SigmaDelta({threshold}, {_attributes(node)}, {_initial(node, script)})")


def multi_threshold(node: ir.Node, script: Script) -> None:
    """MultiThreshold, which Nengo does not have."""
    if np.any(script.constant(operand(node, STEP))):
        raise RefusedError("it begins in the middle of a run")
    _population(
        node, script, f"MultiThreshold({_of_delta(node, script)}, {_attributes(node)}, {_initial(node, script)})"
    )


def multi_threshold_sum(node: ir.Node, script: Script) -> None:
    """MultiThresholdSum, which Nengo does not have: all of its slots in one step."""
    _population(node, script, f"MultiThresholdSum({_of_delta(node, script)}, max_spikes={script.slots})")


def _of_delta(node: ir.Node, script: Script) -> str:
    """The arguments for what the neurons of the delta code have of their own."""
    if script.core_neurons:
        raise RefusedError("Nengo itself has no neuron of the delta code; convert with --code rate")
    shape = script.shape(node.outputs[0])
    return ", ".join(script.spread(node, name, shape) for name in ("threshold", "resting_value", "finest_exponent"))


def _population(
    node: ir.Node, script: Script, neurons: str, *, x: str | None = None, factors: str | None = None
) -> None:
    """The neurons, and the value that they drive: through the synapse, if there is one, and times factors."""
    script.population(node)
    name = script.declare(node.outputs[0])
    x = x or script.variable(node.inputs[0])
    variable = script.new_name(f"{name}_neurons")
    script.add(f"{variable} = neurons({node.name!r}, {x}, {neurons})")
    script.add(f"{name} = driven_by({name!r}, {variable}, synapse{f', {factors}' if factors else ''})")
    script.add(f"net.populations[{node.name!r}], net.layers[{node.name!r}] = {variable}, {name}")


def _attributes(node: ir.Node) -> str:
    """The arguments for attributes of the neuron itself."""
    operator = OPERATORS[node.op_type]
    try:
        values = operator.checked_attributes({name: node.attributes[name].value for name in operator.defaults})
    except ValueError as error:
        raise RefusedError(str(error)) from error
    return ", ".join(f"{name}={value}" for name, value in values.items() if name not in _OF_THE_NETWORK)


def _spikes_of_height_1(node: ir.Node, script: Script) -> tuple[float, str]:
    """An amplitude of dt, and factors that make the spikes as high as the model's.

    NengoDL would divide amplitude by dt in float32: a spike of 1 / 0.001 would be 999.99994 high.
    """
    script.time_step(node)
    dt = decimal(node.attributes["dt"].as_float())
    return dt, f"{script.spread(node, 'amplitude', script.shape(node.outputs[0]))} / {dt}"


def _amplitude(node: ir.Node, script: Script) -> tuple[float, str | None]:
    """Nengo's amplitude, and factors where it differs between neurons."""
    amplitude = script.constant(operand(node, "amplitude"))
    if np.all(amplitude == amplitude.flat[0]) and amplitude.flat[0] > 0:
        return float(amplitude.flat[0]), None
    return 1.0, script.spread(node, "amplitude", script.shape(node.outputs[0]))


def _initial(node: ir.Node, script: Script) -> str:
    """The argument for initial states; always given, as Nengo's defaults are random."""
    shape = script.shape(node.outputs[0])
    entries = []
    operands = [tensor.name for tensor in operator_of(node).inputs]
    for state in OPERATORS[node.op_type].states:
        arrays = [script.constant(operand(node, n)) for n in (state.name, state.base.name) if n in operands]
        is_0 = all(array.size == 1 and not array.any() for array in arrays)
        value = "nengo.dists.Choice([0])" if is_0 else script.spread_state(node, state, shape)
        entries.append(f"{state.name!r}: {value}")
    return f"initial_state={{{', '.join(entries)}}}"
