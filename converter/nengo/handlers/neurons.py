"""Neurons: Nengo's own where it has them."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from converter.errors import RefusedError
from converter.graph.build import operand
from converter.nengo.script import Script
from snn_ops.ops import decimal

_LIF = ("tau_rc", "tau_ref", "min_voltage")


def integrate_and_fire(node: ir.Node, script: Script) -> None:
    """IF; Nengo's nearest is SpikingRectifiedLinear, which forgets negative currents."""
    shape = script.shape(node.outputs[0])
    threshold = script.spread(node, "threshold", shape)
    if script.core_neurons:
        _rectified(node, script, threshold)
        return
    attributes = "".join(f", {name}={node.attributes[name].as_int()}" for name in ("max_spikes", "signed"))
    _population(node, script, f"IF({threshold}{attributes}{_initial(node, script, 'voltage', 'net_count')})")


def _rectified(node: ir.Node, script: Script, threshold: str) -> None:
    """Nengo counts voltage in spikes: v += J dt, so J = current / (threshold dt) and a spike is 1 / dt high."""
    dt = script.time_step_or_default
    script.notes.append(
        f"{node.name!r}: nengo.SpikingRectifiedLinear forgets negative currents and may spike several times a step"
    )
    name = script.new_name(f"{script.variable(node.inputs[0])}_in_spikes")
    script.add(f"{name} = scaled({name!r}, {script.variable(node.inputs[0])}, 1 / ({threshold} * {dt}))")
    state = f"{{'voltage': {script.spread(node, 'voltage', script.shape(node.outputs[0]))} / {threshold}}}"
    kind = f"nengo.SpikingRectifiedLinear(amplitude={dt}, initial_state={state})"
    _population(node, script, kind, x=name, factors=threshold)


def lif(node: ir.Node, script: Script) -> None:
    """nengo.LIF."""
    amplitude, factors = _spikes_of_height_1(node, script)
    initial = _initial(node, script, "voltage", "refractory_time")
    _population(node, script, f"nengo.LIF({_attributes(node, _LIF)}, amplitude={amplitude}{initial})", factors=factors)


def adaptive_lif(node: ir.Node, script: Script) -> None:
    """nengo.AdaptiveLIF, with an amplitude for each neuron, as its adaptation depends on it."""
    script.time_step(node)
    attributes = _attributes(node, (*_LIF, "tau_n", "inc_n"))
    amplitude, factors = _amplitude(node, script)
    initial = _initial(node, script, "voltage", "refractory_time", "adaptation")
    kind = f"nengo.AdaptiveLIF(amplitude={amplitude}" if factors is None else f"AdaptiveLIF({factors}"
    _population(node, script, f"{kind}, {attributes}{initial})")


def izhikevich(node: ir.Node, script: Script) -> None:
    """nengo.Izhikevich, whose spikes are 1 / dt high; amplitudes follow as factors."""
    script.time_step(node)
    amplitude, factors = _amplitude(node, script)
    if amplitude != 1:
        factors = script.spread(node, "amplitude", script.shape(node.outputs[0]))
    attributes = _attributes(node, ("tau_recovery", "coupling", "reset_voltage", "reset_recovery"))
    initial = _initial(node, script, "voltage", "recovery")
    _population(node, script, f"nengo.Izhikevich({attributes}{initial})", factors=factors)


def lif_rate(node: ir.Node, script: Script) -> None:
    """nengo.LIFRate, or SoftLIFRate."""
    amplitude, factors = _amplitude(node, script)
    soft = node.op_type == "SoftLIFRate"
    kind = "SoftLIFRate" if soft else "nengo.LIFRate"
    attributes = _attributes(node, ("tau_rc", "tau_ref", "sigma") if soft else ("tau_rc", "tau_ref"))
    _population(node, script, f"{kind}({attributes}, amplitude={amplitude})", factors=factors)


def spikes_from_rate(node: ir.Node, script: Script) -> None:
    """nengo.RegularSpiking, PoissonSpiking, StochasticSpiking; the latter two draw their own random numbers."""
    amplitude, factors = _spikes_of_height_1(node, script)
    regular = node.op_type == "RegularSpiking"
    initial = _initial(node, script, "voltage") if regular else ""
    if not regular:
        script.notes.append(f"{node.name!r}: Nengo draws other random numbers")
    rate = "nengo.RectifiedLinear()" if script.core_neurons or node.op_type == "PoissonSpiking" else "Rate()"
    kind = f"nengo.{node.op_type}({rate}, amplitude={amplitude}{initial})"
    _population(node, script, kind, factors=factors)


def sigma_delta(node: ir.Node, script: Script) -> None:
    """SigmaDelta, which Nengo has not."""
    if np.any(script.constant(operand(node, "step"))):
        raise RefusedError("it begins in the middle of a run")
    threshold = script.spread(node, "threshold", script.shape(node.outputs[0]))
    max_spikes = node.attributes["max_spikes"].as_int()
    initial = _initial(node, script, "net_count")
    _population(node, script, f"SigmaDelta({threshold}, max_spikes={max_spikes}{initial})")


def _population(node: ir.Node, script: Script, kind: str, *, x: str | None = None, factors: str | None = None) -> None:
    """The neurons, and the value that they drive: through the synapse, if there is one, and times factors."""
    script.population(node)
    name = script.declare(node.outputs[0])
    x = x or script.variable(node.inputs[0])
    neurons = script.new_name(f"{name}_neurons")
    script.add(f"{neurons} = neurons({node.name!r}, {x}, {kind})")
    script.add(f"{name} = driven_by({name!r}, {neurons}, synapse{f', {factors}' if factors else ''})")
    script.add(f"net.populations[{node.name!r}], net.layers[{node.name!r}] = {neurons}, {name}")


def _attributes(node: ir.Node, names: tuple[str, ...]) -> str:
    return ", ".join(f"{name}={decimal(node.attributes[name].as_float())}" for name in names)


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


def _initial(node: ir.Node, script: Script, *states: str) -> str:
    """The argument for initial states; always given, as Nengo's defaults are random."""
    shape = script.shape(node.outputs[0])
    entries = []
    for state in states:
        array = script.constant(operand(node, state))
        at_rest = array.size == 1 and not array.any()
        value = "nengo.dists.Choice([0])" if at_rest else script.spread(node, state, shape)
        entries.append(f"{state!r}: {value}")
    return f", initial_state={{{', '.join(entries)}}}"
