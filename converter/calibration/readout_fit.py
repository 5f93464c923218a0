"""How many steps a readout that forgets looks back.

Held-out samples follow each other without a reset, each for T steps, as in the stream that the file is made for. Every
candidate is run, and the one whose outputs at the end of a sample are closest to the trained model's is taken: a short one is
noisy, a long one still answers for the sample before.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from onnx_ir.passes import common as common_passes

from converter.graph.build import add_functions, to_proto
from converter.graph.run import start_quietly
from converter.io.progress import Progress, silent
from converter.io.samples import Samples
from converter.measure.instruments import without_softmax
from converter.measure.scores import Score
from converter.spiking.expose_states import expose_states
from converter.spiking.readout import finish_readout, set_time_constants
from snn_ops.session import Session

FRAMES = 3
"""Samples one after the other; the first of them only leaves its traces."""


def candidates(n_steps: int) -> list[int]:
    """Numbers of steps worth trying, up to T: all up to 8, then a quarter more each."""
    steps = [1]
    while steps[-1] < n_steps:
        steps.append(steps[-1] + max(1, steps[-1] // 4))
    return [count for count in steps if count <= n_steps]


def fit_readout(
    trained: ir.Model,
    spiking: ir.Model,
    readout: str,
    samples: Samples,
    n_steps: int,
    progress: Progress = silent,
) -> int:
    """The number of steps, one of `candidates`.

    Args:
        trained: the trained model.
        spiking: a draft of the spiking one; it stays as it is.
        readout: "leaky" or "window".
        samples: those that the model was not calibrated on.
        n_steps: T, for which each sample stays.
        progress: called with candidates done and their number.
    """
    frames = samples.in_turn(FRAMES)
    ann = start_quietly(without_softmax(trained.clone()))
    expected = [ann.run(None, frame.feed) for frame in frames[1:]]
    tried = candidates(n_steps)
    errors = []
    for index, steps in enumerate(tried):
        stream = _session(spiking, readout, steps).stream()
        names = [output.name for output in ann.get_outputs()]
        score = Score(1, labelled=False, against=True)
        stream.run(frames[0].feed, n_steps)
        for frame, reference in zip(frames[1:], expected, strict=True):
            found = stream.run(frame.feed, n_steps)
            score.add({name: y[None] for name, y in zip(names, found, strict=True)}, reference, None)
        result = score.result(0, n_steps)
        errors.append(1 - (result.agreement or 0) if result.relative_error is None else result.relative_error)
        progress("fitting the readout", index + 1, len(tried))
    return tried[int(np.argmin(errors))]


def _session(spiking: ir.Model, readout: str, steps: int) -> Session:
    """A stream with this readout, without a Softmax at its end."""
    model = without_softmax(spiking.clone())
    set_time_constants(model, readout, steps)
    finish_readout(model, readout, steps)
    common_passes.RemoveUnusedNodesPass()(model)
    model.graph.sort()
    add_functions(model)
    expose_states(model)
    return Session(to_proto(model))
