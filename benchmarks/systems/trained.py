"""The trained model in ONNX Runtime: Relu where neurons stand. What ratios are taken to."""

from __future__ import annotations

import time

import numpy as np

from benchmarks.systems.system import CannotComputeError, Job, Rule, Runner, System
from benchmarks.workloads.network import Equation


class TrainedRunner(Runner):
    """An ONNX Runtime session of the trained model."""

    mean_so_far = True

    def __init__(self, job: Job) -> None:
        import onnxruntime

        from benchmarks.systems._trained_model import trained_model
        from snn_ops.provider import start_session

        start = time.perf_counter()
        model = trained_model(job.network).SerializeToString()
        self.seconds, self.file_bytes = {"conversion": time.perf_counter() - start}, len(model)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = job.threads
        self.settings = {"graph": "the network with Relu for neurons, run once"}
        self._session = start_session(model, options, job.provider)

    def run(self, x: np.ndarray) -> np.ndarray:
        """Once: it has no time steps."""
        y: np.ndarray = self._session.run(None, {"input": x})[0]
        return y


class TrainedModel(System):
    """Its equation is Relu, whatever the network's."""

    name = "trained"
    equations = frozenset(Equation)
    rule = Rule("trained", "the network with Relu for neurons, no time steps")
    providers = ("cpu", "cuda")

    def build(self, job: Job) -> Runner:
        """Loaded by ONNX Runtime."""
        if job.stream:
            raise CannotComputeError("a trained model has no state to carry")
        if job.sequence:
            raise CannotComputeError("is there for networks alone")
        return TrainedRunner(job)

    def version(self) -> str:
        """Of ONNX Runtime."""
        import onnxruntime

        return f"ONNX Runtime {onnxruntime.__version__}"


SYSTEM = TrainedModel()
