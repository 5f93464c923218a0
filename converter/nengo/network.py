"""The network of a spiking model in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import nengo
import numpy as np
import onnx

from converter.nengo import functions, parts
from converter.nengo.export import make_script
from converter.nengo.script import Script

nengo.rc.set("decoder_cache", "enabled", "False")


@dataclass
class NengoModel:
    """A network and what is known of it.

    Attributes:
        network: for any simulator; its attributes `inputs`, `outputs`, `populations`, `layers` and `parameters` name its
            objects.
        script: what it was built from.
        current: what the input nodes put out, by name.
    """

    network: Any
    script: Script
    current: dict[str, np.ndarray]

    @property
    def dt(self) -> float:
        """Length of a step in seconds."""
        return self.script.time_step_or_default

    @contextmanager
    def probes(
        self, layers: Sequence[str], states: Mapping[str, str]
    ) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """Probes of the outputs and of layers: of what they drive, spikes as high as in the model, or of a state."""
        network = self.network
        before = list(network.probes)
        with network:
            outputs = {name: nengo.Probe(y) for name, y in network.outputs.items()}
            recorded = {
                layer: nengo.Probe(network.populations[layer], states[layer])
                if layer in states
                else nengo.Probe(network.layers[layer])
                for layer in layers
            }
        try:
            yield outputs, recorded
        finally:
            network.probes[:] = before


def to_nengo(
    proto: onnx.ModelProto,
    *,
    core_neurons: bool = False,
    n_steps: int | None = None,
    readout_tau: float | None = None,
    synapse: Any = None,
    namespace: Mapping[str, Any] | None = None,
) -> NengoModel:
    """Builds a spiking model in Nengo.

    Args:
        proto: the model.
        core_neurons, n_steps, readout_tau: see `make_script`.
        synapse: Nengo's, between neurons and what they drive; each delays by a step. None: neither filter nor delay.
        namespace: other definitions of the parts that the script uses.

    Raises:
        RefusedError: it has something that Nengo does not have.
    """
    script = make_script(proto, core_neurons=core_neurons, n_steps=n_steps, readout_tau=readout_tau)
    names: dict[str, Any] = {**vars(parts), **vars(functions), **(namespace or {})}
    exec(compile(script.source(standalone=False), f"<{script.label} in Nengo>", "exec"), names)
    current = {name: np.zeros(size) for name, size in script.inputs.items()}
    inputs = {name: lambda t, name=name: current[name] for name in current}
    return NengoModel(names["build"](script.arrays, inputs, synapse), script, current)
