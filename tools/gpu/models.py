"""Models to check on a GPU, and runs in fixed memory of it."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import resources
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

from benchmarks.systems._convert import trained_model
from benchmarks.workloads.catalogue import WORKLOADS
from benchmarks.workloads.network import Equation
from converter import load_ann
from converter.demo import demo_samples

CALIBRATION = 16
"""Samples of the benchmarks' networks."""
NETWORKS = {"mlp": "mlp", "cnn": "cnn", "resnet8": "resnet-8", "vgg": "vgg-11"}
"""The benchmarks' networks, by the name that their models have."""


class BoundRun:
    """A call with inputs and the output in fixed memory of the device; it returns the output, there, when it is complete."""

    def __init__(self, session: ort.InferenceSession, provider: str, feed: dict[str, np.ndarray], output: str) -> None:
        self._session, self._binding = session, session.io_binding()
        self._feed = feed  # a bound input is this very memory, which ONNX Runtime before 1.31 does not keep
        for name, array in feed.items():
            place = "cpu" if name == "n_steps" else provider
            self._binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(array, place, 0))
        self._binding.bind_output(output, provider)
        session.run_with_iobinding(self._binding)
        (self._target,) = self._binding.get_outputs()
        self._binding.bind_ortvalue_output(output, self._target)

    def __call__(self) -> ort.OrtValue:
        """One run."""
        self._session.run_with_iobinding(self._binding)
        self._binding.synchronize_outputs()
        return self._target


def trained_models(folder: Path, count: int) -> Iterable[tuple[str, Path, np.ndarray, np.ndarray]]:
    """The embedded LeNet-5 and the benchmarks' networks: name, file, images to run and images to calibrate on."""
    with resources.as_file(resources.files("converter.demo") / "data" / "lenet5_relu.onnx") as source:
        ann = load_ann(source)
        (test,), (calibration,) = (
            demo_samples(which, ann.input_specs).feed.values() for which in ("test", "calibration")
        )
        yield "lenet5", source, test[:count], calibration
    for name, workload_name in NETWORKS.items():
        path, workload = folder / f"{name}.onnx", WORKLOADS[workload_name]()
        onnx.save(trained_model(workload.network(Equation.IF)), path)
        images = workload.inputs(count + CALIBRATION)
        yield name, path, images[:count], images[count:]
