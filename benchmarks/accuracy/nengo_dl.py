"""nengo_dl.Converter: spiking ReLUs in the place of ReLU, no synapse, at several scales of the firing rates.

With a scale of 1000 a neuron sends one spike a step for an activation of 1 (dt is 1 ms), and more spikes where the scale is
higher: accuracy is bought with spikes. One simulation of the most steps tells all smaller ones.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from benchmarks.accuracy.task import TIMED_SAMPLES, Figures, Task
from benchmarks.systems._channels_last import last
from benchmarks.systems.keras import model_of
from benchmarks.systems.nengo_dl import import_nengo_dl

SCALES = (100, 300, 1000, 3000)
COUNTED = 10
"""Test images whose spikes are counted."""


def measure(task: Task) -> Iterator[Figures]:
    """A row for each scale."""
    nengo_dl = import_nengo_dl()
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(task.threads)
    tf.config.threading.set_inter_op_parallelism_threads(task.threads)
    warnings.simplefilter("ignore")
    for scale in SCALES:
        yield _figures(task, scale, nengo_dl, tf)


def _figures(task: Task, scale: int, nengo_dl: Any, tf: Any) -> Figures:
    import nengo

    x, most = last(task.x).reshape(len(task.x), 1, -1), max(task.steps)
    converter = nengo_dl.Converter(
        model_of(tf.keras, task.network),
        swap_activations={tf.nn.relu: nengo.SpikingRectifiedLinear()},
        scale_firing_rates=scale,
        inference_only=True,
    )
    converter.net.seed = 0
    ((source,), (output,)) = converter.inputs.dict.values(), converter.outputs.dict.values()
    with converter.net:
        nengo_dl.configure_settings(stateful=False)
    size = min(TIMED_SAMPLES, len(x))
    with nengo_dl.Simulator(converter.net, minibatch_size=size, progress_bar=False) as simulator:

        def run(images: np.ndarray, n_steps: int) -> np.ndarray:
            outputs: np.ndarray = simulator.predict({source: np.repeat(images, n_steps, axis=1)}, verbose=0)[output]
            return outputs

        whole = len(x) - len(x) % size
        sums = np.concatenate([run(x[i : i + size], most).cumsum(axis=1) for i in range(0, whole, size)])
        accuracy = {t: task.accuracy(sums[:, t - 1]) for t in task.steps}
        times = task.milliseconds({t: partial(run, x[:size], t) for t in task.steps})
    return Figures(f"scale_firing_rates={scale}", accuracy, _spikes(task, converter, nengo_dl, x[:COUNTED]), times)


def _spikes(task: Task, converter: Any, nengo_dl: Any, x: np.ndarray) -> dict[int, float]:
    """Per synapse, of a few images."""
    import nengo

    most, names = max(task.steps), task.network.neurons
    ((source,),) = (converter.inputs.dict.values(),)
    ensembles = converter.net.all_ensembles
    with converter.net:
        probes = [nengo.Probe(ensemble.neurons) for ensemble in ensembles]
    with nengo_dl.Simulator(converter.net, minibatch_size=1, progress_bar=False) as simulator:
        sent = np.zeros((len(probes), most))
        for image in x:
            values = simulator.predict({source: np.repeat(image[None], most, axis=1)}, verbose=0)
            for row, (probe, ensemble) in enumerate(zip(probes, ensembles, strict=True)):
                height = ensemble.neuron_type.amplitude / simulator.dt
                sent[row] += (values[probe][0] / height).mean(axis=1).cumsum() / len(x)
    return {t: task.spikes_per_synapse(dict(zip(names, sent[:, t - 1], strict=True))) for t in task.steps}
