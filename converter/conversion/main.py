"""The main job, step by step: prepare, search a recipe, take T, J and more by the budget, build, describe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from converter.conversion.build import build
from converter.conversion.describe import describe
from converter.conversion.front import take
from converter.conversion.prepare import prepare
from converter.conversion.result import Conversion
from converter.conversion.search import search
from converter.engine.local import Engine
from converter.errors import concerning
from converter.io.progress import Progress, silent
from converter.io.samples import Samples, check_samples
from converter.normalise.ann import Ann, load_ann
from converter.options import Options


def convert(
    model: str | Path | Ann,
    calibration: Samples | np.ndarray | Mapping[str, np.ndarray],
    *,
    options: Options | None = None,
    progress: Progress = silent,
    engine: Engine | None = None,
    traces: bool = False,
    **changes: Any,
) -> Conversion:
    """Converts a trained model into a spiking one.

    Args:
        model: an ONNX file, or what `load_ann` made of it.
        calibration: samples as the model expects them, preprocessed, first axis = samples; some hundreds are enough.
        options: how; `changes` replace single options, e.g. ``neuron="lif"``.
        progress: called as work advances.
        engine: where the ranges of the rate code are gathered, `converter.engine`; default: here. They are the same.
        traces: also keep what some neurons do over time, `Conversion.traces`: a report shows it.

    Raises:
        RefusedError: the model or the samples cannot be used; the message says why and what to do.
    """
    options = replace(options, **changes) if options else Options(**changes)
    ann = model if isinstance(model, Ann) else load_ann(model)
    samples = calibration if isinstance(calibration, Samples) else check_samples(calibration, ann.input_specs)
    with concerning(ann.path):
        prepared = prepare(ann, samples, options.settled(), progress, engine)
        recipe, trials = search(prepared)
        taken = take(prepared, options, recipe)
        draft = build(taken.prepared, taken.recipe, taken.prepared.samples)
        taken.prepared.observations.clear()  # of a large model, as large as its weights
        return describe(taken, trials, draft, traces=traces)
