"""What a service counts, as Prometheus reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
INFER = "infer"
CHUNK = "chunk"
"""What is asked for: an answer to samples, or to a chunk of a stream."""
_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """Counters of one service. No label holds what a client sent."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = self._counter("requests", "requests answered, by kind and HTTP status", "kind", "status")
        self._latency = self._histogram("request_seconds", "from a request's start to its answer", _SECONDS, "kind")
        self._waiting = self._histogram("queue_seconds", "that a request waited for a thread", _SECONDS)
        self._batches = self._histogram("batch_samples", "samples run together", _BATCHES)
        self._runs = self._histogram("run_seconds", "that a batch took to run", _SECONDS)
        self._samples = self._counter("samples", "samples run, those of streams too")
        self._steps = self._counter("steps", "time steps run, of each sample")
        self._counted_samples = self._counter("counted_samples", "samples whose spikes were counted")
        self._counted_steps = self._counter("counted_steps", "time steps whose spikes were counted, of each sample")
        self._spikes = self._counter("counted_spikes", "spikes of the samples and steps that were counted")
        self._streams = self._counter("streams", "streams opened or refused", "result")
        ProcessCollector(registry=self.registry)
        self._of_requests: dict[tuple[str, int], Counter] = {}
        self._of_latency = {kind: self._latency.labels(kind) for kind in (INFER, CHUNK)}

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"onnx_snn_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: Sequence[float], *labels: str) -> Histogram:
        return Histogram(f"onnx_snn_{name}", text, labels, registry=self.registry, buckets=buckets)

    def watch(self, gauges: Mapping[str, tuple[str, Callable[[], float]]]) -> None:
        """Values that are read when Prometheus asks: name -> what it is, and the function that gives it."""
        for name, (text, value) in gauges.items():
            Gauge(name, text, registry=self.registry).set_function(value)

    def request(self, kind: str, status: int, seconds: float) -> None:
        """A request was answered."""
        key = kind, status
        counter = self._of_requests.get(key)
        if counter is None:
            counter = self._of_requests[key] = self._requests.labels(kind, str(status))
        counter.inc()
        self._of_latency[kind].observe(seconds)

    def batch(self, samples: int, n_steps: int, seconds: float, waited: Sequence[float]) -> None:
        """Samples were run together."""
        self._batches.observe(samples)
        self._runs.observe(seconds)
        self.steps(samples, n_steps)
        for each in waited:
            self._waiting.observe(each)

    def steps(self, samples: int, n_steps: int) -> None:
        """So many samples ran for so many steps."""
        self._samples.inc(samples)
        self._steps.inc(samples * n_steps)

    def spikes(self, samples: int, n_steps: int, spikes: float) -> None:
        """The spikes of some samples were counted."""
        self._counted_samples.inc(samples)
        self._counted_steps.inc(samples * n_steps)
        self._spikes.inc(spikes)

    def stream(self, result: str) -> None:
        """A stream was "opened" or "refused"."""
        self._streams.labels(result).inc()

    def page(self) -> bytes:
        """All of it, as text."""
        return generate_latest(self.registry)
