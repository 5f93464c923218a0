"""The trained model in ONNX Runtime: Relu where neurons stand. What ratios are taken to."""

from __future__ import annotations

import numpy as np

from benchmarks.systems._own import Converted
from benchmarks.systems.system import Job, Rule, Runner, System
from benchmarks.workloads.network import Equation


class TrainedRunner(Runner):
    """An ONNX Runtime session of the trained model."""

    mean_so_far = True

    def __init__(self, job: Job) -> None:
        converted = Converted(job, "trained")
        self.seconds, self.file_bytes = converted.seconds, converted.file_bytes
        self.waited_seconds = converted.waited
        import onnxruntime

        from snn_ops.provider import start_session

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = job.threads
        self.settings = {"graph": "the network with Relu for neurons, run once"}
        self._session = start_session(str(converted.model), options, job.provider)

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
    kinds = frozenset({"network"})

    def build(self, job: Job) -> Runner:
        """Loaded by ONNX Runtime."""
        return TrainedRunner(job)

    def version(self) -> str:
        """Of ONNX Runtime."""
        import onnxruntime

        return f"ONNX Runtime {onnxruntime.__version__}"


SYSTEM = TrainedModel()
