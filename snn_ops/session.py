"""Running spiking models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from os import PathLike, fspath
from pathlib import Path
from typing import Any, overload

import numpy as np
import onnxruntime as ort

from snn_ops.cache import cache_bytes
from snn_ops.feed import (
    Inputs,
    Model,
    as_model_takes,
    by_name,
    checked_count,
    checked_steps,
    element_type,
    refuse_not_finite,
    refuse_other_shapes,
)
from snn_ops.format import FIRST_SAMPLE, N_STEPS, Metadata
from snn_ops.library import PYTHON_BACKENDS, existing, register
from snn_ops.provider import SILENT, ProviderOptions, start_session, without_graph
from snn_ops.recording import Recording
from snn_ops.stream import (
    Part,
    Recorder,
    State,
    Stream,
    defaults_of,
    has_row_for_each_step,
    names_no_batch,
    states_of,
)

ALL_ROWS = 2**63
"""For a model that needs all steps at once."""
ROWS = 256
"""Samples times steps that run at once on a CPU where nobody knows how large a row is."""
LEAST_ROWS = 64
"""Fewer than these are not worth a call of ONNX Runtime, however large they are: weights are read anew in every call."""
SAME_DOMAIN = "Domain already set in registry"
"""What ONNX Runtime says of two libraries with one domain."""
LARGEST_VALUE = 64 << 20
"""Bytes that a model's largest value may take by default: models of large images run fewer rows at once."""


class Session:
    """An ``onnxruntime.InferenceSession`` for a spiking model that knows its steps and runs many samples in small batches.

    Args:
        model: a file, its bytes, or the model.
        n_steps: time steps T of `run`; default: what the file says.
        provider: "cpu" or "cuda".
        provider_options: of ONNX Runtime's CUDA provider, by its names: ``device_id``, which GPU; ``use_tf32`` = 0, products
            of matrices and convolutions in float32, where it rounds their factors to 11 bits by default; ``gpu_mem_limit``, ...
            Our one default is ``cudnn_conv_algo_search`` = HEURISTIC: EXHAUSTIVE, ONNX Runtime's, searches again at every new
            number of samples or steps, but may find a faster convolution. With ``enable_cuda_graph`` graphs are captured
            and replayed in runs of `ort` with buffers of the caller's; `run` and `stream` do without, as their buffers move.
        backend: whose operators run: "native" kernels; "functions", the function bodies in the file, as in plain ONNX
            Runtime; "numpy" references or "cupy" kernels as Python operators, in float32 or float64.
        threads: ONNX Runtime's threads for one call; default: its own choice.
        batch_size: samples per call; default: as many as make about `rows` with their T steps.
        bytes_at_once: how much memory the model's largest value may take; default: `LARGEST_VALUE`, little for a large GPU.
            On a CPU it can only lower the rows.
        profile: how the name of the file begins into which ONNX Runtime's profiler writes what each node took;
            ``session.ort.end_profiling()`` ends it and gives the name.
        libraries: files with operators of others that the model has beside ours, in any order, such as
            ``onnxruntime_extensions.get_library_path()``. A library is a program, and a model's file never names one.

    A session can be pickled: another process starts it again, from the file by its whole path, or from the model's bytes.

    A file made for streaming (``onnx-snn convert --streaming``) also runs in chunks of time: `stream` carries its state from
    call to call, and `run` takes `rows` / samples steps at once where T of them would be more rows than that.

    A file whose inputs have no defaults (``--explicit-inputs``) is run as one that has them: the session feeds what its
    metadata say.

    Raises:
        LibraryNotFoundError: backend "native", and the library was not built; or one of `libraries` does not exist.
        RuntimeError: the provider or the Python backend is not to be had, the provider does not know an option, the Python
            backend would compute in float16, or one of `libraries` is none, or has operators of the domain of another one.
        FormatError: the file is of a newer format, or damaged in a field of its metadata that is needed to run it.
        TypeError: n_steps or batch_size that are no integers.
        ValueError: an unknown provider or backend, options for "cpu", n_steps or batch_size below 1, or the file declares a
            state or the default of an input that it does not have.
    """

    def __init__(
        self,
        model: Model,
        *,
        n_steps: int | None = None,
        provider: str = "cpu",
        provider_options: ProviderOptions | None = None,
        backend: str = "native",
        threads: int | None = None,
        batch_size: int | None = None,
        bytes_at_once: int = LARGEST_VALUE,
        profile: str | PathLike[str] | None = None,
        libraries: Sequence[str | PathLike[str]] = (),
    ) -> None:
        self._libraries = existing(libraries)
        self._provider, self._provider_options = provider, provider_options
        self._backend, self._threads, self._model = backend, threads, model
        self._guard: Callable[[], AbstractContextManager[None]] = nullcontext
        self.ort = self._start(model, profile)
        self._metadata = Metadata.read(self.ort.get_modelmeta().custom_metadata_map)
        self._defaults = defaults_of(self.ort, self._metadata.defaults)
        optional = {*self._defaults, *(i.name for i in self.ort.get_overridable_initializers())}
        self._has_steps, self._has_random_neurons = N_STEPS in optional, FIRST_SAMPLE in optional
        self.n_steps = checked_steps(n_steps if n_steps is not None else self._metadata.n_steps)
        self._batch_size = None if batch_size is None else checked_count(batch_size, "batch_size")
        self._bytes_at_once = bytes_at_once
        self._same_shapes = provider == "cuda"  # where a call of another size begins with a search for its convolutions
        self._run_options = without_graph()
        own = [i for i in self.ort.get_inputs() if i.name not in self._defaults]
        self._input_types = {i.name: element_type(i.type) for i in own}
        self._input_shapes = {i.name: i.shape for i in own}
        self.input_names = list(self._input_types)
        self._states = states_of(self.ort, self._metadata.states, self._defaults)
        carried = {state.output for state in self._states}
        self.output_names = [o.name for o in self.ort.get_outputs() if o.name not in carried]
        self._unnamed = names_no_batch(self.ort)
        self._recorders: dict[tuple[str, ...], Recorder] = {}

    def __reduce__(self) -> tuple[Callable[..., Session], tuple[str | bytes, dict[str, object]]]:
        source = _source(self._model)
        arguments: dict[str, object] = {
            "n_steps": self.n_steps,
            "provider": self._provider,
            "provider_options": self._provider_options,
            "backend": self._backend,
            "threads": self._threads,
            "batch_size": self._batch_size,
            "bytes_at_once": self._bytes_at_once,
            "libraries": self._libraries,
        }
        return _restarted, (str(Path(source).resolve()) if isinstance(source, str) else source, arguments)

    def _start(self, model: Model, profile: str | PathLike[str] | None = None) -> ort.InferenceSession:
        """A session of ONNX Runtime as the arguments want it."""
        options = ort.SessionOptions()
        options.log_severity_level = SILENT  # n_steps with a default would be warned of at every start
        if self._threads:
            options.intra_op_num_threads = self._threads
        if profile is not None:
            options.enable_profiling, options.profile_file_prefix = True, fspath(profile)
        register(options, self._backend, self._libraries)
        if self._backend in PYTHON_BACKENDS:
            from snn_ops import python_ops  # noqa: PLC0415 # it needs packages that the other backends do without

            model, self._guard = python_ops.fitted(python_ops.loaded(model), self._backend), python_ops.raising
        try:
            return start_session(_source(model), options, self._provider, self._provider_options)
        except Exception as error:  # ONNX Runtime's classes have nothing in common
            if self._libraries and SAME_DOMAIN in str(error):
                named = ", ".join(self._libraries)
                raise RuntimeError(
                    f"two of these libraries and ours have operators of the same domain: {named}"
                ) from error
            raise

    @cached_property
    def rows(self) -> int:
        """Samples times steps that run at once by default.

        On a CPU those of which the largest value stays in the cache (docs/FINDINGS.md), on a GPU as many as `bytes_at_once`
        allows. Whatever their number, the results have the same bits on a CPU.
        """
        return usual_rows(self._metadata.row_bytes, self._provider, self._bytes_at_once, self._threads)

    @overload
    def run(
        self,
        inputs: Inputs,
        *,
        n_steps: int | None = None,
        outputs: Sequence[str] | None = None,
        progress: Callable[[int, int], None] = ...,
        record: None = None,
        record_in: None = None,
    ) -> list[np.ndarray]: ...

    @overload
    def run(
        self,
        inputs: Inputs,
        *,
        n_steps: int | None = None,
        outputs: Sequence[str] | None = None,
        progress: Callable[[int, int], None] = ...,
        record: Sequence[str],
        record_in: str | PathLike[str] | None = None,
    ) -> tuple[list[np.ndarray], Recording]: ...

    def run(
        self,
        inputs: Inputs,
        *,
        n_steps: int | None = None,
        outputs: Sequence[str] | None = None,
        progress: Callable[[int, int], None] = lambda done, of: None,
        record: Sequence[str] | None = None,
        record_in: str | PathLike[str] | None = None,
    ) -> list[np.ndarray] | tuple[list[np.ndarray], Recording]:
        """Runs samples through all time steps.

        Args:
            inputs: ``[samples, ...]`` for a model of one input, or arrays by input name. A subnormal number of float32 or
                float64 is 0 to the model, as in a stream.
            n_steps: for this call; default: the session's.
            outputs: names; default: all but the states.
            progress: called with the samples done and their number.
            record: layers whose spikes are wanted too, by the names that ``onnx-snn inspect`` shows; ``LAYER.STATE``, such as
                "first.voltage", for a state after every step; other nodes, for their values. It needs onnx. A second session of
                ONNX Runtime is made for it once, so weights are in memory twice.
            record_in: a folder where what is recorded lies in temporary files while it is used; default: it is in memory.

        Returns:
            The outputs, ``[samples, ...]`` each; with `record` these and a `Recording`: by name ``[T, samples, ...]``. One that
            has a row for each step, as a file changed by hand may give, is ``[T * samples, ...]`` in the order of the format.

        Raises:
            TypeError: n_steps that is no integer.
            ValueError: n_steps below 1, no samples by the name of an input, not as many as of another, or a sample that holds
                NaN or infinity.
            RecordingError: a layer to record that does not exist, or that has no spikes in time; also a ValueError.
        """
        steps = checked_steps(self.n_steps if n_steps is None else n_steps)
        feed = by_name(inputs, self._input_types)
        refuse_other_shapes(feed, self._input_shapes)
        samples = len(next(iter(feed.values())))
        recorder = self._recorder(record) if record is not None else None
        recording = Recording(recorder.tracks, steps, samples, record_in) if recorder is not None else None
        runs_in_chunks = bool(recorder.states if recorder is not None else self._states)
        size = self._batch_size or max(1, self._samples_at_once(samples, steps, runs_in_chunks))
        results = []
        names = outputs or self.output_names
        for start in range(0, max(samples, 1), size):
            # a last call with fewer samples takes some again that went before
            first = start if recording is not None or not self._same_shapes else max(0, min(start, samples - size))
            part = {name: array[first : start + size] for name, array in feed.items()}
            if recorder is not None and recording is not None:
                results.append(self._record_part(part, steps, outputs, Part(recorder, recording, start)))
            else:
                found = zip(names, self._run_part(part, steps, outputs, first), strict=True)
                results.append([self._after(start - first, name, array, steps, size) for name, array in found])
            progress(min(start + size, samples), samples)
        whole = [self._joined(name, parts, steps, size) for name, *parts in zip(names, *results, strict=True)]
        return whole if recording is None else (whole, recording)

    def _joined(self, name: str, parts: Sequence[np.ndarray], n_steps: int, size: int) -> np.ndarray:
        """An output of all samples, from batches of `size` of them."""
        if len(parts) == 1:
            return parts[0]
        if name not in self._unnamed or not has_row_for_each_step(parts[0], n_steps, size):
            return np.concatenate(parts)
        by_step = [part.reshape(n_steps, -1, *part.shape[1:]) for part in parts]
        return np.concatenate(by_step, axis=1).reshape(-1, *parts[0].shape[1:])

    def _after(self, skipped: int, name: str, array: np.ndarray, n_steps: int, size: int) -> np.ndarray:
        """An output of a call of `size` samples, without the first ones."""
        if not skipped:
            return array
        if name not in self._unnamed or not has_row_for_each_step(array, n_steps, size):
            return array[skipped:]
        return array.reshape(n_steps, size, *array.shape[1:])[:, skipped:].reshape(-1, *array.shape[1:])

    def _samples_at_once(self, samples: int, n_steps: int, runs_in_chunks: bool) -> int:
        """Of so many samples, those of one call: about `rows`, in calls of one size.

        Where no value has a row for each step, a sample is one row. A file that also runs in chunks of time never takes more.
        """
        rows = samples * (1 if self._metadata.at_once else n_steps)
        if runs_in_chunks:
            return max(1, self.rows // n_steps)
        return -(-samples // max(1, round(rows / self.rows)))

    def run_batch(
        self, feed: Mapping[str, np.ndarray], n_steps: int, outputs: Sequence[str] | None = None, first_sample: int = 0
    ) -> list[np.ndarray]:
        """One call of ONNX Runtime with these samples, `first_sample` and those after it of a run.

        Raises:
            ValueError: a sample holds NaN or infinity.
        """
        refuse_not_finite(feed)
        return self._call(feed, n_steps, outputs, first_sample)

    def _call(
        self, feed: Mapping[str, np.ndarray], n_steps: int, outputs: Sequence[str] | None, first_sample: int
    ) -> list[np.ndarray]:
        arrays = {name: as_model_takes(array) for name, array in feed.items()}
        arrays = self._defaults | self._first_sample(first_sample) | arrays
        if self._has_steps:
            arrays[N_STEPS] = np.asarray(n_steps, np.int64)
        with self._guard():
            result: list[np.ndarray] = self.ort.run(outputs or self.output_names, arrays, self._run_options)
        return result

    def stream(self, outputs: Sequence[str] | None = None, *, first_sample: int = 0) -> Stream:
        """A run that goes on from call to call; a session has as many of them as the caller wants.

        Args:
            outputs: names; default: all but the states.
            first_sample: how many samples other streams of the same run have, so that random neurons draw other numbers here.

        Raises:
            ValueError: the file was not made for streaming.
        """
        if not self._states:
            raise ValueError("this model keeps its state inside; make one with `onnx-snn convert --streaming`")
        return self._stream(self.ort, self._states, outputs, first_sample)

    def _stream(
        self, session: ort.InferenceSession, states: Sequence[State], outputs: Sequence[str] | None, first_sample: int
    ) -> Stream:
        return Stream(
            session,
            states,
            self._input_types,
            outputs or self.output_names,
            numbers=self._defaults | self._first_sample(first_sample),
            device=self._provider,
            n_steps=self.n_steps,
            rows=self.rows if states else ALL_ROWS,
            has_frames=self._metadata.code == "delta",
            guard=self._guard,
            recorder=self._recorder,
        )

    def _recorder(self, record: Sequence[str]) -> Recorder:
        """A session whose model also gives what is to be recorded.

        Raises:
            RecordingError: a layer that does not exist, or has no spikes in time.
            RuntimeError: onnx is not to be had.
        """
        names = (record,) if isinstance(record, str) else tuple(record)
        if names not in self._recorders:
            try:
                from snn_ops.record import recording_model  # noqa: PLC0415 # it needs onnx, which a deployment does without
            except ModuleNotFoundError as error:
                raise RuntimeError(f"recording needs {error.name}: pip install onnx") from error
            made = recording_model(self._model, names)
            session = self._start(made.model)
            self._recorders = {
                names: Recorder(session, states_of(session, made.states, self._defaults), made.tracks)
            }  # the last one only
        return self._recorders[names]

    def _record_part(
        self, feed: Mapping[str, np.ndarray], n_steps: int, outputs: Sequence[str] | None, part: Part
    ) -> list[np.ndarray]:
        recorder = part.recorder
        stream = self._stream(recorder.session, recorder.states, outputs, part.first_sample)
        return stream.advance({name: np.ascontiguousarray(array) for name, array in feed.items()}, n_steps, into=part)

    def run_sequence(
        self,
        inputs: Inputs,
        *,
        n_steps: int | None = None,
        outputs: Sequence[str] | None = None,
        new_frames: bool = False,
    ) -> list[np.ndarray]:
        """Runs a whole sequence from rest, frame by frame without a reset: a new stream's `Stream.run_sequence`.

        Args:
            inputs: ``[frames, samples, ...]`` for a model of one input, or arrays by input name.
            n_steps: of a frame; default: the session's.
            outputs: names; default: all but the states.
            new_frames: see `Stream.run`.

        Returns:
            The outputs after each frame, ``[frames, samples, ...]`` each.

        Raises:
            ValueError: the file was not made for streaming; or as for `Stream.run_sequence`.
        """
        return self.stream(outputs).run_sequence(inputs, n_steps, new_frames=new_frames)

    def _run_part(
        self, feed: Mapping[str, np.ndarray], n_steps: int, outputs: Sequence[str] | None, first_sample: int
    ) -> list[np.ndarray]:
        """In chunks of time where that is possible and makes a difference."""
        samples = len(next(iter(feed.values())))
        if self._states and n_steps > 1 and samples * n_steps > self.rows:
            return self.stream(outputs, first_sample=first_sample).run(feed, n_steps)
        return self._call(feed, n_steps, outputs, first_sample)

    def _first_sample(self, index: int) -> dict[str, np.ndarray]:
        """The input of that name, where the model has random neurons: what a sample draws does not depend on its batch."""
        return {FIRST_SAMPLE: np.asarray(index, np.int64)} if self._has_random_neurons else {}


def _restarted(model: str | bytes, arguments: dict[str, Any]) -> Session:
    """A session that was pickled."""
    return Session(model, **arguments)


def usual_rows(
    row_bytes: int, provider: str = "cpu", bytes_at_once: int = LARGEST_VALUE, threads: int | None = None
) -> int:
    """The same where a CPU's cache is known: that of this machine, for so many threads."""
    cached = max(LEAST_ROWS, cache_bytes(threads) // row_bytes) if row_bytes else ROWS
    return rows_at_once(row_bytes, provider, bytes_at_once, cached)


def rows_at_once(
    row_bytes: int, provider: str = "cpu", bytes_at_once: int = LARGEST_VALUE, most_on_cpu: int = ROWS
) -> int:
    """Samples times steps that a model runs at once by default.

    Args:
        row_bytes: about how many bytes one sample needs for one step; 0: not known.
        provider: "cpu" or "cuda".
        bytes_at_once: that the largest value of all rows may take.
        most_on_cpu: rows beyond which a CPU is not faster; the default is the same on every machine.
    """
    if not row_bytes:
        return ROWS
    rows = max(1, bytes_at_once // row_bytes)
    return rows if provider == "cuda" else min(most_on_cpu, rows)


def _source(model: Model) -> str | bytes:
    """What ONNX Runtime loads: the file's path, or the bytes. An `onnx.ModelProto` is told without importing onnx."""
    if hasattr(model, "SerializeToString"):
        return model.SerializeToString()
    return model if isinstance(model, bytes) else fspath(model)
