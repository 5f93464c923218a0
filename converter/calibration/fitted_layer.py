"""Fits a layer of neurons that stands in a spiking model to the activation whose place it took."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir

from converter.calibration.rate_fit import fit_rates
from converter.data import Samples
from converter.graph import add_functions, set_constant, set_operand, to_proto
from converter.neurons import FittedNeuron, Placed
from converter.options import Options
from converter.rules import Site
from converter.runtime import Probe
from snn_ops.format import N_STEPS
from snn_ops.ops import OPERATORS
from snn_ops.session import Session

FIT_BYTES = 64 << 20
"""Currents of one layer held while it is fitted; the number of samples follows from it."""


def fit_layer(
    trained: ir.Model,
    spiking: ir.Model,
    site: Site,
    placed: Placed,
    kind: FittedNeuron,
    samples: Samples,
    scale: np.ndarray,
    options: Options,
) -> None:
    """Sets gain, bias, amplitude, offset and refractory time of a layer; the layers before it are fitted already.

    Args:
        trained: the trained model.
        spiking: the spiking one, which is changed.
        site: the activation.
        placed, kind: the neurons in its place.
        samples: for calibration; as many are used as `FIT_BYTES` allow, at least 8.
        scale: how large the activation's input is per channel, where the activation still changes.
        options: of this layer.
    """
    steps, node = options.n_steps, placed.node
    constant = node.attributes["constant_current"].as_int()
    of_one = Probe(trained, [site.y]).run(samples.first(1).feed)[str(site.y.name)]
    samples = samples.first(max(8, FIT_BYTES // (of_one.size * 4 * steps)))
    tau_refs = (options.dt, 2 * options.dt) if options.tau_ref is None else (options.tau_ref,)
    refractory = [{"tau_ref": tau_ref} for tau_ref in tau_refs] if kind.has_refractory_time else [{}]
    states = {t.name: np.asarray(kind.states.get(t.name, 0), np.float32) for t in OPERATORS[node.op_type].inputs}
    fit = fit_rates(
        node.op_type,
        _spiking_values(spiking, placed.x, samples, steps, bool(constant)),
        Probe(trained, [site.y]).run(samples.feed)[str(site.y.name)],
        scale,
        steps,
        channel_axis=site.channel_axis,
        with_offset="offset" in placed.constants,
        threshold_current=kind.threshold_current,
        attributes=[{**kind.attributes, **chosen, "constant_current": constant} for chosen in refractory],
        operands={**states, N_STEPS: np.asarray(steps), "amplitude": np.ones((), np.float32)},
    )
    for name, value in placed.constants.items():
        set_constant(value, site.per_channel(getattr(fit, name)))
    if not kind.amplitude_follows:
        set_operand(node, "amplitude", site.per_channel(fit.amplitude))
    if kind.has_refractory_time:
        node.attributes["tau_ref"] = ir.AttrFloat32("tau_ref", fit.attributes["tau_ref"])


def _spiking_values(spiking: ir.Model, value: ir.Value, samples: Samples, steps: int, constant: bool) -> np.ndarray:
    """A value of the spiking model on the samples: ``[T*n, ...]``, or ``[n, ...]`` where it does not change."""
    model = spiking.clone()
    add_functions(model)
    proto = to_proto(model)
    del proto.graph.output[:]
    proto.graph.output.append(onnx.ValueInfoProto(name=value.name))
    session = Session(proto, n_steps=steps)
    parts = []
    size = max(1, session.rows // steps)
    for start in range(0, len(samples), size):
        feed = {name: array[start : start + size] for name, array in samples.feed.items()}
        (array,) = session.run_batch(feed, steps)
        parts.append(array if constant else array.reshape(steps, -1, *array.shape[1:]))
    joined: np.ndarray = np.concatenate(parts, axis=0 if constant else 1)
    return joined if constant else np.reshape(joined, (-1, *joined.shape[2:]))
