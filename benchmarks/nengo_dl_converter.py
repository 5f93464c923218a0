"""A Keras model in NengoDL as paper 2 has it: nengo_dl.Converter puts spiking ReLUs in the place of ReLU.

Firing rates of ReLUs are scaled by 200 and spikes filtered by a synapse of 5 ms; the output is that of the last step. The
thesis states neither number; its accuracy over n_steps has the shape that these give.
"""

from __future__ import annotations

import time
from typing import Any

import nengo
import numpy as np

from benchmarks import keras_models
from converter.nengo.dl.shim import import_nengo_dl
from converter.nengo.dl.simulator import through_time, without_warnings

RATES, SYNAPSE = 200, 0.005


def run(model: Any, x: np.ndarray, steps: int, minibatch: int = 100) -> tuple[np.ndarray, float]:
    """The outputs of the last step, and the seconds that all samples took.

    Layers that NengoDL has no counterpart for (transposed convolutions) stay Keras's, as nengo_dl.Converter does it.

    Args:
        model: of Keras.
        x: samples, a multiple of `minibatch`.
        steps: n_steps.
        minibatch: samples at once.
    """
    nengo_dl = import_nengo_dl()
    with without_warnings():
        relu = keras_models.keras.activations.relu
        rates = {layer: RATES for layer in model.layers if getattr(layer, "activation", None) is relu}
        spiking = {relu: nengo.SpikingRectifiedLinear()}
        converter = nengo_dl.Converter(model, swap_activations=spiking, scale_firing_rates=rates, synapse=SYNAPSE)
        converter.net.seed = 0
        with converter.net:
            nengo_dl.configure_settings(inference_only=True)
        (source,), (output,) = converter.inputs.dict.values(), converter.outputs.dict.values()
        with nengo_dl.Simulator(converter.net, minibatch_size=minibatch, progress_bar=False) as simulator:
            simulator.predict({source: through_time(x[:minibatch], steps, minibatch)}, verbose=0)
            start = time.perf_counter()
            pieces = [
                simulator.predict({source: through_time(x[i : i + minibatch], steps, minibatch)}, verbose=0)[output]
                for i in range(0, len(x), minibatch)
            ]
            seconds = time.perf_counter() - start
    return np.concatenate([piece[:, -1] for piece in pieces])[: len(x)], seconds
