"""A spiking model that answers requests: its limits, its queue, its streams. Knows no HTTP."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from converter.errors import RefusedError, concerning
from converter.graph.run import RUNTIME_ERRORS, brief
from converter.io.preprocess import Preprocessing, pictures, resized
from converter.io.samples import random_samples
from converter.serving.batcher import Batcher, QueueFullError, StoppedError
from converter.serving.capacity import Capacity, measure
from converter.serving.metrics import Metrics
from converter.serving.protocol import (
    DATATYPES,
    Message,
    RequestError,
    TensorSpec,
    Wanted,
    datatype_of,
    read_outputs,
    read_tensors,
)
from converter.serving.spikes import SAMPLES, SpikeCounter
from converter.spiking.model import SpikingModel
from snn_ops.feed import element_type
from snn_ops.format import FIRST_SAMPLE
from snn_ops.session import Session
from snn_ops.stream import Stream, states_of

VERSION = "1"
"""Of the model: a service has one."""
PIXELS = "UINT8"
"""The protocol's word for the numbers of pictures."""
_LEAST_STEPS = 256
_TIMES_ITS_STEPS = 8
_MEASURED_BYTES = 64 << 20
"""Of the samples that batches are measured with."""
_PARAMETERS = ("n_steps", "timeout", "priority", "binary_data_output")
"""Of a request; the priority is not used."""
_STREAM_PARAMETERS = ("n_steps", "new_frame", "binary_data_output")
_STATES = "states"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """What a service takes.

    Attributes:
        body: bytes of a request.
        memory: bytes of all requests that are being read or answered.
        samples: of a request, and of all chunks of a stream.
        steps: of a request or a chunk; 0: eight times those that the model was made for, and at least 256.
        seconds: to read and answer a request or a chunk.
        queue: requests that wait.
        streams: that are open.
        idle: seconds without a message after which a stream ends.
    """

    body: int = 16 << 20
    memory: int = 512 << 20
    samples: int = 256
    steps: int = 0
    seconds: float = 30.0
    queue: int = 256
    streams: int = 256
    idle: float = 300.0


@dataclass(frozen=True)
class Running:
    """How a service runs its model.

    Attributes:
        n_steps: of a request that does not say it; None: those that the model was made for.
        batch: samples that run together; None: measured.
        workers: threads that run batches.
        count_spikes: with a second session.
        preprocess: how pictures of bytes become samples; None: they are not taken.
        options: of `snn_ops.Session`: backend, provider, threads, ...
    """

    n_steps: int | None = None
    batch: int | None = None
    workers: int = 1
    count_spikes: bool = True
    preprocess: Preprocessing | None = None
    options: Mapping[str, Any] | None = None


class Service:
    """A model, ready to answer.

    Args:
        model: the spiking model.
        name: that clients know it by; default: its file's.
        limits, running: see there.

    Attributes:
        name: that clients use.
        limits: as given, with the steps that there may be.
        capacity: what batches were measured to bring.
        metrics: what is counted.
        inputs, outputs, states: the tensors.
        n_steps: of a request that does not say it.

    Raises:
        RefusedError: the model cannot be run, or has inputs or outputs that the protocol has no word for.
    """

    def __init__(
        self,
        model: SpikingModel,
        *,
        name: str | None = None,
        limits: Limits | None = None,
        running: Running | None = None,
    ) -> None:
        running, limits = running or Running(), limits or Limits()
        self.name = clean_name(name or model.path.name)
        options = dict(running.options or {})
        self._session: Session = model.session(n_steps=running.n_steps, **options)
        self.n_steps = self._session.n_steps
        most = limits.steps or max(_LEAST_STEPS, _TIMES_ITS_STEPS * self.n_steps)
        self.limits = replace(limits, steps=max(most, self.n_steps))
        self._limit_memory()
        with concerning(model.path):
            self.inputs, self.outputs = _inputs_of(self._session), _outputs_of(self._session)
        self.states = _states_of(self._session, model)
        self._preprocess = running.preprocess
        self.metrics = Metrics()
        with concerning(model.path):
            self.capacity = self._measured(model, running)
        self._batcher = Batcher(
            self._run_batch,
            batch=self.capacity.batch,
            threads=running.workers,
            queue=limits.queue,
            observe=self._observed,
            after=self._count,
        )
        self._counter = SpikeCounter(model, self.metrics.spikes, **options) if running.count_spikes else None
        self._open = 0
        self.metrics.watch(
            {
                "onnx_snn_queue": ("requests that wait for a thread", lambda: self._batcher.waiting),
                "onnx_snn_open_streams": ("streams that are open", lambda: self._open),
                "onnx_snn_largest_batch": ("samples that are run together at most", lambda: self.capacity.batch),
            }
        )

    @property
    def has_streams(self) -> bool:
        """Whether the model was made for streams."""
        return bool(self.states)

    @property
    def is_full(self) -> bool:
        """Whether a request would be refused now."""
        return self._batcher.is_full

    def described(self) -> dict[str, Any]:
        """The model's metadata, as the protocol has them."""
        parameters: dict[str, Any] = {
            "n_steps": self.n_steps,
            "most_steps": self.limits.steps,
            "most_samples": self.limits.samples,
            "streams": self.has_streams,
        }
        if self._preprocess is not None:
            parameters["preprocess"] = self._preprocess.stored()
        return {
            "name": self.name,
            "versions": [VERSION],
            "platform": "onnx-snn_onnx",
            "inputs": [spec.described() for spec in self.inputs],
            "outputs": [spec.described() for spec in self.outputs],
            "parameters": parameters,
        }

    async def infer(self, message: Message) -> list[tuple[Wanted, np.ndarray]]:
        """The outputs that a request asks for.

        Raises:
            RequestError: what the client reads.
        """
        wanted = read_outputs(message, [spec.name for spec in self.outputs])
        n_steps, seconds = self._asked(message, _PARAMETERS), _timeout(message)
        feed = self._feed(message)
        answer = self._answered(self._batcher.run(feed, n_steps))
        try:
            arrays = await (answer if seconds is None else asyncio.wait_for(answer, seconds))
        except (TimeoutError, asyncio.TimeoutError):
            raise RequestError(504, "the answer took longer than the request's `timeout`") from None
        found = {spec.name: array for spec, array in zip(self.outputs, arrays, strict=True)}
        return [(each, found[each.name]) for each in wanted]

    def open_stream(self) -> ServedStream:
        """A stream of its own.

        Raises:
            RequestError: the model was not made for streams, or as many are open as may.
        """
        if not self.has_streams:
            raise RequestError(400, f"{self.name} keeps no state between chunks: it was not made with --streaming")
        if self._open >= self.limits.streams:
            self.metrics.stream("refused")
            raise RequestError(503, f"{self._open} streams are open, as many as may; come back later")
        self.metrics.stream("opened")
        self._open += 1
        return ServedStream(self, self._session.stream([spec.name for spec in self.outputs]))

    def closed_stream(self) -> None:
        """A stream has ended."""
        self._open -= 1

    async def run_chunk(self, stream: Stream, message: Message, *, binary: bool) -> list[tuple[Wanted, np.ndarray]]:
        """The outputs after a chunk of a stream.

        Raises:
            RequestError: what the client reads. The stream stays where it was.
        """
        wanted = read_outputs(message, [spec.name for spec in self.outputs], binary=binary)
        n_steps = self._asked(message, _STREAM_PARAMETERS)
        new_frame = message.parameters.get("new_frame", False)
        if not isinstance(new_frame, bool):
            raise RequestError(400, "`new_frame` must be true or false")
        feed = self._feed(message)
        before: list[Mapping[str, np.ndarray]] = []

        def run() -> list[np.ndarray]:
            if self._counter is not None and self._counter.is_due:
                before.append(stream.save())
            outputs = stream.run(self._prepared(feed), n_steps, new_frame=new_frame)
            self.metrics.steps(len(next(iter(feed.values()))), n_steps)
            return outputs

        def count() -> None:
            if self._counter is not None and before:
                self._counter.count_chunk(before[0], self._prepared(feed), n_steps, new_frame=new_frame)

        arrays = await self._answered(self._batcher.call(run, count))
        found = {spec.name: array for spec, array in zip(self.outputs, arrays, strict=True)}
        return [(each, found[each.name]) for each in wanted]

    def restore(self, stream: Stream, message: Message) -> None:
        """Continues a stream from the state that a message holds.

        Raises:
            RequestError: it is not this model's. The stream stays where it was.
        """
        arrays = read_tensors(message, _STATES, self.states, self.limits.samples, may_be_none=True)
        try:
            stream.restore(arrays)
        except ValueError as error:
            raise RequestError(400, str(error)) from None

    def saved(self, stream: Stream, *, binary: bool) -> list[tuple[Wanted, np.ndarray]]:
        """The state of a stream, empty at rest."""
        return [(Wanted(name, binary), array) for name, array in stream.save().items()]

    def stop(self) -> None:
        """Answers what waits, and takes no more."""
        self._batcher.stop()

    def _limit_memory(self) -> None:
        if self.limits.memory < 2 * self.limits.body:
            self.limits = replace(self.limits, memory=2 * self.limits.body)

    def _feed(self, message: Message) -> dict[str, np.ndarray]:
        """The samples of a message. Pictures are not preprocessed yet: what waits shall not be larger than what was sent."""
        entries = message.entries.get("inputs")
        if self._preprocess is not None and len(self.inputs) == 1 and isinstance(entries, list) and len(entries) == 1:
            name, datatype = self.inputs[0].name, self.inputs[0].datatype
            entry = entries[0] if isinstance(entries[0], dict) else {}
            shape = entry.get("shape")
            if entry.get("datatype") == PIXELS != datatype and isinstance(shape, list) and len(shape) in (3, 4):
                spec = TensorSpec(name, PIXELS, (-1,) * len(shape))
                return read_tensors(message, "inputs", [spec], self.limits.samples)
        return read_tensors(message, "inputs", self.inputs, self.limits.samples)

    def _prepared(self, feed: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """The samples as the model takes them.

        Raises:
            ValueError: they are no pictures.
        """
        (name, array), *_ = feed.items()
        if self._preprocess is None or array.dtype != DATATYPES[PIXELS] or self.inputs[0].datatype == PIXELS:
            return feed
        images = pictures(array)
        if images is None:
            raise ValueError(f"{name!r} holds no pictures: [samples, height, width, channels]")
        size = self._preprocess.size
        images = np.stack([resized(image, size) for image in images]) if size is not None else images
        return {name: self._preprocess.apply(images, self.inputs[0].shape)}

    def _run_batch(self, feed: Mapping[str, np.ndarray], n_steps: int, check: Callable[[], None]) -> list[np.ndarray]:
        names = [spec.name for spec in self.outputs]
        return self._session.run(
            self._prepared(feed), n_steps=n_steps, outputs=names, progress=lambda done, of: check()
        )

    def _observed(self, feed: Mapping[str, np.ndarray], n_steps: int, seconds: float, waited: Sequence[float]) -> None:
        self.metrics.batch(len(next(iter(feed.values()))), n_steps, seconds, waited)

    def _count(self, feed: Mapping[str, np.ndarray], n_steps: int) -> None:
        if self._counter is not None:
            try:
                if self._counter.is_due:
                    first = {name: array[:SAMPLES] for name, array in feed.items()}
                    self._counter.count(self._prepared(first), n_steps)
            except RUNTIME_ERRORS as error:
                log.warning("spikes are counted no more: %s", brief(error))
                self._counter = None

    async def _answered(self, work: Any) -> list[np.ndarray]:
        """What work gives; what goes wrong becomes what a client may read: nothing of this machine."""
        try:
            result: list[np.ndarray] = await work
        except QueueFullError:
            raise RequestError(429, f"{self.limits.queue} requests wait already; come back later") from None
        except StoppedError:
            raise RequestError(503, "the service ends") from None
        except (ValueError, TypeError) as error:  # of snn_ops, about the samples
            raise RequestError(400, brief(error)) from None
        except RUNTIME_ERRORS as error:
            log.warning("ONNX Runtime: %s", brief(error))
            raise RequestError(400, "ONNX Runtime cannot run the model on this request") from None
        return result

    def _asked(self, message: Message, known: Sequence[str]) -> int:
        """The number of steps; parameters that are not known are refused, since they would be ignored."""
        for name in message.parameters:
            if name.startswith("sequence_"):
                raise RequestError(400, f"{name!r}: a stream is a WebSocket at /v2/models/{self.name}/stream")
            if name not in known:
                raise RequestError(400, f"unknown parameter {name[:60]!r}; there are {list(known)}")
        steps = message.parameters.get("n_steps", self.n_steps)
        if type(steps) is not int or not 1 <= steps <= self.limits.steps:
            raise RequestError(400, f"`n_steps` must be an integer from 1 to {self.limits.steps}")
        return steps

    def _measured(self, model: SpikingModel, running: Running) -> Capacity:
        """How many samples run together, from samples of random numbers."""
        inputs = (*self._session.ort.get_inputs(), *self._session.ort.get_overridable_initializers())
        if FIRST_SAMPLE in {each.name for each in inputs}:
            return Capacity(1, {}, "neurons draw random numbers by a sample's place in its request")
        if running.batch is not None:
            return Capacity(running.batch, {}, "as asked for")
        try:
            one = random_samples(model.inputs, 1).feed
            size = sum(array.nbytes for array in one.values())
            samples = random_samples(model.inputs, min(self.limits.samples, 1 + _MEASURED_BYTES // size)).feed
        except RefusedError:
            return Capacity(1, {}, "the file does not say what samples to measure with; --batch N brings them together")
        exact = (running.options or {}).get("provider", "cpu") == "cpu"
        try:
            return measure(lambda feed: self._run_batch(feed, self.n_steps, lambda: None), samples, exact=exact)
        except RUNTIME_ERRORS as error:
            raise RefusedError(f"ONNX Runtime cannot run it: {brief(error)}") from error


class ServedStream:
    """A stream of one client, which counts among those that are open until it is left."""

    def __init__(self, service: Service, stream: Stream) -> None:
        self._service, self._stream = service, stream

    def __enter__(self) -> ServedStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._service.closed_stream()

    async def answer(self, message: Message, *, binary: bool) -> tuple[str, list[tuple[Wanted, np.ndarray]]]:
        """What a message asks for: the key of a list, and the tensors in it.

        Raises:
            RequestError: what the client reads. The stream stays where it was.
        """
        command = message.entries.get("command", "run")
        if command == "run":
            return "outputs", await self._service.run_chunk(self._stream, message, binary=binary)
        if command == "restore":
            self._service.restore(self._stream, message)
            return _STATES, []
        if command == "reset":
            self._stream.reset()
            return _STATES, []
        if command == "save":
            return _STATES, self._service.saved(self._stream, binary=binary)
        raise RequestError(400, "`command` must be run, reset, save or restore")


def clean_name(name: str) -> str:
    """A model's name for clients, from its file's: no folder, nothing that a URL would have to quote."""
    stem = Path(name).name
    for ending in (".onnx", ".snn"):
        stem = stem.removesuffix(ending)
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip(".-") or "model"


def _timeout(message: Message) -> float | None:
    """Seconds that the client gives, which it says in microseconds."""
    timeout = message.parameters.get("timeout")
    if timeout is None:
        return None
    if type(timeout) is not int or not 0 < timeout < 2**63:
        raise RequestError(400, "`timeout` must be a number of microseconds")
    return timeout / 1e6


def _inputs_of(session: Session) -> list[TensorSpec]:
    """Those that a client sends.

    Raises:
        RefusedError: one of a type that the protocol has no word for.
    """
    found = []
    own = {each.name: each for each in session.ort.get_inputs()}
    for name in session.input_names:
        datatype = datatype_of(element_type(own[name].type))
        if datatype is None:
            raise RefusedError(f"input {name!r} is {own[name].type}, which the protocol has no word for")
        found.append(TensorSpec(name, datatype, (-1, *_lengths(own[name].shape[1:]))))
    return found


def _outputs_of(session: Session) -> list[TensorSpec]:
    """Those that can be sent: tensors of numbers or text.

    Raises:
        RefusedError: there is none.
    """
    found, types = [], {each.name: each for each in session.ort.get_outputs()}
    for name in session.output_names:
        output = types[name]
        datatype = "BYTES" if output.type == "tensor(string)" else datatype_of(element_type(output.type))
        if datatype is not None:
            shape = (-1, *_lengths((output.shape or [None])[1:]))
            found.append(TensorSpec(name, datatype, shape))
    if not found:
        raise RefusedError("the model has no output of numbers or text")
    return found


def _states_of(session: Session, model: SpikingModel) -> list[TensorSpec]:
    """What a stream carries; none where the model was not made for streams."""
    with suppress(ValueError):
        session.stream()
        carried = states_of(session.ort, model.metadata.states, model.metadata.defaults)
        specs = [(each.input, datatype_of(each.dtype), each.shape) for each in carried]
        return [
            TensorSpec(name, datatype, (-1, *_lengths(shape[1:])) if shape else ())
            for name, datatype, shape in specs
            if datatype is not None
        ]
    return []


def _lengths(shape: Sequence[int | str | None]) -> tuple[int, ...]:
    return tuple(length if isinstance(length, int) and length > 0 else -1 for length in shape)
