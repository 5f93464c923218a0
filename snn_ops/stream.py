"""Running a model in chunks of time, its state carried from chunk to chunk on the device."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from os import PathLike
from typing import NoReturn, overload

import numpy as np
import onnxruntime as ort

from snn_ops.feed import Inputs, as_model_takes, by_name, checked_steps, element_type, first_not_finite
from snn_ops.files import read_npz, write_npz
from snn_ops.format import BATCH, N_STEPS, STEP
from snn_ops.provider import device_id, without_graph
from snn_ops.recording import Recording, StateTrack, SumTrack, Track


@dataclass(frozen=True)
class State:
    """A state of a streaming model.

    Attributes:
        input: the graph input that takes it; its default, in the graph or in the metadata, is the state at rest.
        output: the graph output that gives it after the last step.
        dtype: of its numbers.
        shape: as the file declares the output; a name or None stands for a length that varies.
    """

    input: str
    output: str
    dtype: np.dtype
    shape: tuple[int | str | None, ...]


def defaults_of(session: ort.InferenceSession, defaults: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the inputs of a file without defaults of its own get where the caller says nothing.

    Args:
        session: of the file.
        defaults: by the names of inputs (`Metadata.defaults`).

    Raises:
        ValueError: the model does not have one of these inputs, or takes other numbers there.
    """
    types = {i.name: element_type(i.type) for i in session.get_inputs()}
    for name, array in defaults.items():
        if types.get(name) != array.dtype:
            raise ValueError(
                f"the file's metadata have a default for an input {name!r} of {array.dtype} that the model does not have"
            )
    return dict(defaults)


def states_of(
    session: ort.InferenceSession, pairs: Sequence[Mapping[str, str]], defaults: Mapping[str, np.ndarray]
) -> list[State]:
    """The states that a file declares.

    Args:
        session: of the file.
        pairs: names of their inputs and outputs (`Metadata.states`).
        defaults: of inputs that have none in the graph.

    Raises:
        ValueError: the model does not have one of these states.
    """
    inputs = {*defaults, *(i.name for i in session.get_overridable_initializers())}
    outputs = {o.name: (o, element) for o in session.get_outputs() if (element := element_type(o.type)) is not None}
    states = []
    for pair in pairs:
        name, found = pair["input"], outputs.get(pair["output"])
        if name not in inputs or found is None:
            raise ValueError(f"the file's metadata name a state {name!r} that the model does not have")
        output, element = found
        states.append(State(name, output.name, element, tuple(output.shape)))
    return states


def names_no_batch(session: ort.InferenceSession) -> set[str]:
    """Outputs whose first axis the file does not call the batch, as those added by hand: they may have a row for each step."""
    batch = {BATCH, *(value.shape[0] for value in session.get_inputs() if value.shape)}
    first = {output.name: (output.shape or [None])[0] for output in session.get_outputs()}
    return {name for name, axis in first.items() if axis not in batch and not isinstance(axis, int)}


def has_row_for_each_step(array: np.ndarray, n_steps: int, batch: int) -> bool:
    """Whether this is ``[T*B, ...]``, not ``[B, ...]``."""
    return array.ndim > 0 and n_steps > 1 and batch > 0 and len(array) == n_steps * batch


def steps_of_one_size(n_steps: int, most: int) -> int:
    """Steps of a chunk, at most so many, so that all chunks have as many: on a GPU another size begins with a search for
    convolutions. `most` where that would be less than half of it."""
    return next((size for size in range(min(most, n_steps), most // 2, -1) if n_steps % size == 0), most)


@dataclass(frozen=True)
class Recorder:
    """A session whose model also gives what is to be recorded.

    Attributes:
        session: of ONNX Runtime.
        states: what to carry from chunk to chunk; none: the model runs all steps at once.
        tracks: what to record.
    """

    session: ort.InferenceSession
    states: Sequence[State]
    tracks: Sequence[Track]

    @property
    def by_step(self) -> bool:
        """Whether a state is wanted after every step, so that a chunk is one step."""
        return any(isinstance(track, StateTrack) for track in self.tracks)

    @property
    def outputs(self) -> list[str]:
        """What the model gives besides its own outputs and the states."""
        return [track.output for track in self.tracks if track.output]


@dataclass(frozen=True)
class Part:
    """What a run writes into a recording: from which sample on."""

    recorder: Recorder
    recording: Recording
    first_sample: int = 0


class Stream:
    """One run of a streaming model, continued chunk by chunk: made by ``Session.stream()``.

    The state stays on the session's device. A chunk reads one state and writes another, so a run that fails leaves the stream
    where it was. Streams of one session are independent and may run in different threads; one stream belongs to one caller
    at a time.

    Args:
        session: of ONNX Runtime.
        states: what to carry.
        inputs: the model's own.
        outputs: those of the model's own that are wanted.
        numbers: what other inputs of the model get in every chunk, and states that have no default in the graph at rest.
        device: "cpu" or "cuda".
        n_steps: of a chunk that does not say how many.
        rows: samples times steps that run at once, see `run`.
        has_frames: a new frame may begin (`run`): the file's code is the delta code.
        guard: a context to call ONNX Runtime in.
        recorder: makes a session that records these names.
    """

    def __init__(
        self,
        session: ort.InferenceSession,
        states: Sequence[State],
        inputs: Mapping[str, np.dtype | None],
        outputs: Sequence[str],
        *,
        numbers: Mapping[str, np.ndarray],
        device: str,
        n_steps: int,
        rows: int,
        has_frames: bool,
        guard: Callable[[], AbstractContextManager[None]],
        recorder: Callable[[Sequence[str]], Recorder],
    ) -> None:
        self._recorder = recorder
        unnamed = names_no_batch(session)
        self._open = [name for name in outputs if name in unnamed]
        self._session, self._states = session, list(states)
        self._inputs, self._outputs, self._numbers = dict(inputs), list(outputs), dict(numbers)
        self._device, self._device_id, self._run_options = device, device_id(session), without_graph()
        self._n_steps, self._rows, self._guard, self._has_frames = n_steps, rows, guard, has_frames
        self._batch: int | None = None
        self._values: list[ort.OrtValue] | None = None  # on the device; None: at rest

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a Stream of snn_ops cannot be pickled; pickle what its save() gives, and restore() that elsewhere"
        )

    @overload
    def run(
        self,
        inputs: Inputs,
        n_steps: int | None = None,
        *,
        new_frame: bool = False,
        record: None = None,
        record_in: None = None,
    ) -> list[np.ndarray]: ...

    @overload
    def run(
        self,
        inputs: Inputs,
        n_steps: int | None = None,
        *,
        new_frame: bool = False,
        record: Sequence[str],
        record_in: str | PathLike[str] | None = None,
    ) -> tuple[list[np.ndarray], Recording]: ...

    def run(
        self,
        inputs: Inputs,
        n_steps: int | None = None,
        *,
        new_frame: bool = False,
        record: Sequence[str] | None = None,
        record_in: str | PathLike[str] | None = None,
    ) -> list[np.ndarray] | tuple[list[np.ndarray], Recording]:
        """Advances by `n_steps` steps.

        They run in chunks of rows / batch steps (at least one), so that the activations of a long run stay in the cache. The
        inputs go to the device once, the outputs come back once. Whatever the chunks, our operators give the same bits, on
        every device. On a CPU so did whole models, all that were tried; on a GPU cuDNN and cuBLAS choose how they sum by the
        number of rows, so that a chunk may round otherwise, and a neuron just below its threshold fire a step later.

        Args:
            inputs: as for `Session.run`, held for these steps; the next call may bring others. A subnormal number of float32
                or float64 is 0 to the model, so that a signal that fades away does not make the stream slow; the array stays.
            n_steps: default: the session's.
            new_frame: the input has changed as a whole: neurons of the delta code send large spikes first again, and finer ones
                from step to step, as at the beginning of the stream. What was sent stays; without this, every step may use the
                file's finest height.
            record: layers whose spikes are wanted too, as for `Session.run`.
            record_in: a folder for them; default: in memory.

        Returns:
            The model's outputs after the last of these steps. With the delta code, or a readout that forgets, they answer for
            the present input; else they are means over all steps since the stream began (the file's metadata: `readout`). With
            `record` the outputs and a `Recording` of these steps.

        Raises:
            TypeError: n_steps that is no integer.
            ValueError: n_steps below 1, new_frame in a file of the rate code, inputs missing or of different numbers of
                samples, a sample that holds NaN or infinity, or not as many samples as the stream began with.
            RecordingError: as `Session.run`. Whatever is raised, the stream stays where it was.
        """
        steps = checked_steps(self._n_steps if n_steps is None else n_steps)
        arrays = {name: np.ascontiguousarray(array) for name, array in by_name(inputs, self._inputs).items()}
        if record is None:
            return self.advance(arrays, steps, new_frame=new_frame)
        recorder = self._recorder(record)
        recording = Recording(recorder.tracks, steps, len(next(iter(arrays.values()))), record_in)
        return self.advance(arrays, steps, new_frame=new_frame, into=Part(recorder, recording)), recording

    def advance(
        self, arrays: Mapping[str, np.ndarray], n_steps: int, *, new_frame: bool = False, into: Part | None = None
    ) -> list[np.ndarray]:
        """`run` with arrays that were checked.

        Args:
            arrays: by input name.
            n_steps: as for `run`.
            new_frame: as for `run`.
            into: a recording to write into.

        Raises:
            ValueError: as `run`.
        """
        # a name of their own until the end: inputs are bound to this memory
        taken = {name: as_model_takes(array) for name, array in arrays.items()}
        batch = len(next(iter(arrays.values())))
        if self._batch is not None and batch != self._batch:
            raise ValueError(
                f"the stream began with {self._batch} samples, not {batch}; Session.stream() begins another"
            )
        session, recorded = (self._session, []) if into is None else (into.recorder.session, into.recorder.outputs)
        chunk = self._chunk(batch, n_steps, into)
        held = self._held({**taken, **self._numbers}, n_chunks=-(-n_steps // chunk))
        values = self._at_new_frame() if new_frame else self._values
        rows: dict[str, list[np.ndarray]] = {}
        for done in range(0, n_steps, chunk):
            now = min(chunk, n_steps - done)
            is_last = done + now >= n_steps
            wanted = self._outputs if is_last else [*rows] if done else self._open
            before = self._before(into, values)
            found, values = self._advance(session, held, values, now, [*wanted, *recorded])
            if done == 0:
                rows = {name: [] for name in self._open if has_row_for_each_step(found[name], now, batch)}
            for name in rows:
                rows[name].append(found[name])
            if into is not None:
                found.update(self._states_after(into, values))
                into.recording.add(
                    found, before, first_step=done, n_steps=now, first_sample=into.first_sample, batch=batch
                )
        self._batch, self._values = batch, values
        return [np.concatenate(rows[name]) if name in rows else found[name] for name in self._outputs]

    def run_sequence(self, inputs: Inputs, n_steps: int | None = None, *, new_frames: bool = False) -> list[np.ndarray]:
        """Advances through a whole sequence: as `run` of one frame after the other, with the same bits.

        Args:
            inputs: ``[frames, samples, ...]``, or arrays by input name; each frame is held for `n_steps` steps.
            n_steps: of a frame; default: the session's.
            new_frames: `new_frame` of every frame.

        Returns:
            The model's outputs after each frame, ``[frames, samples, ...]``.

        Raises:
            ValueError: as for `run`, no frames, or inputs with different numbers of frames. The stream stays where it was.
        """
        arrays = by_name(inputs, self._inputs)
        lengths = {name: len(array) if np.ndim(array) else 0 for name, array in arrays.items()}
        if len(set(lengths.values())) != 1 or not min(lengths.values()):
            raise ValueError(f"a sequence is [frames, samples, ...], as many frames for each input; they are {lengths}")
        before = self._batch, self._values
        results = []
        try:
            for index in range(min(lengths.values())):
                frame = {name: array[index] for name, array in arrays.items()}
                results.append(self.run(frame, n_steps, new_frame=new_frames))
        except BaseException:
            self._batch, self._values = before
            raise
        return [np.stack(of_output) for of_output in zip(*results, strict=True)]

    def reset(self) -> None:
        """Back to rest; the next call may bring another number of samples."""
        self._batch, self._values = None, None

    def save(self) -> dict[str, np.ndarray]:
        """The state, by the names of the model's inputs; empty at rest."""
        if self._values is None:
            return {}
        values = zip(self._states, self._values, strict=True)
        return {state.input: np.array(value.numpy()) for state, value in values}

    def restore(self, saved: Mapping[str, np.ndarray]) -> None:
        """Continues from a state that `save` gave, of this or another stream of the same model.

        Raises:
            ValueError: a state is missing or unknown, has another type or shape than the model's, or holds NaN, infinity or a
                number of steps below 0.
        """
        if not saved:
            return self.reset()
        arrays = [np.array(array, order="C") for array in self._checked(saved)]
        self._batch = next((array.shape[0] for array in arrays if array.ndim), None)
        self._values = [ort.OrtValue.ortvalue_from_numpy(array, self._device, self._device_id) for array in arrays]
        return None

    def save_npz(self, path: str | PathLike[str]) -> None:
        """Writes the state to a file, whole or not at all.

        Raises:
            OSError: it cannot be written.
        """
        write_npz(path, self.save())

    def restore_npz(self, path: str | PathLike[str]) -> None:
        """Continues from a file that `save_npz` wrote.

        Raises:
            OSError: the file cannot be read.
            ValueError: it is no such file, or its state is not this model's.
        """
        try:
            saved = read_npz(path)
        except ValueError as error:
            raise ValueError(f"{error}: it does not hold the state of a stream") from error
        self.restore(saved)

    def _at_new_frame(self) -> list[ort.OrtValue] | None:
        """The state, with the steps counted from here on."""
        if not self._has_frames:
            raise ValueError("frames belong to the delta code: a stream of the rate code goes on without new_frame")
        if self._values is None:
            return None
        begins = ort.OrtValue.ortvalue_from_numpy(np.zeros((), np.int64), self._device, self._device_id)
        pairs = zip(self._states, self._values, strict=True)
        return [begins if state.input == STEP else value for state, value in pairs]

    def _held(self, arrays: Mapping[str, np.ndarray], *, n_chunks: int) -> dict[str, ort.OrtValue]:
        """The inputs where all chunks read them; of a single chunk, ONNX Runtime takes them to the device without waiting."""
        place = self._device if n_chunks > 1 else "cpu"
        make = ort.OrtValue.ortvalue_from_numpy
        return {name: make(array, place, self._device_id if place != "cpu" else 0) for name, array in arrays.items()}

    def _advance(
        self,
        session: ort.InferenceSession,
        inputs: Mapping[str, ort.OrtValue],
        values: list[ort.OrtValue] | None,
        n_steps: int,
        outputs: Sequence[str],
    ) -> tuple[dict[str, np.ndarray], list[ort.OrtValue]]:
        """One call of ONNX Runtime, from the state `values`: the outputs of these names, and the state after it.

        The binding is a new one: in ONNX Runtime 1.23 one that was cleared and bound again mixed up its outputs.
        """
        names = list(dict.fromkeys(outputs))
        binding = session.io_binding()
        steps = ort.OrtValue.ortvalue_from_numpy(np.asarray(n_steps, np.int64))
        carried = {} if values is None else {s.input: value for s, value in zip(self._states, values, strict=True)}
        for name, value in {**inputs, N_STEPS: steps, **carried}.items():
            binding.bind_ortvalue_input(name, value)
        for name in names:
            binding.bind_output(name, "cpu")
        for state in self._states:
            binding.bind_output(state.output, self._device, self._device_id)
        with self._guard():
            session.run_with_iobinding(binding, self._run_options)
        found = binding.get_outputs()
        arrays = {name: np.array(value.numpy()) for name, value in zip(names, found, strict=False)}
        return arrays, found[len(names) :]

    def _chunk(self, batch: int, n_steps: int, into: Part | None) -> int:
        """How many steps run at once."""
        if into is not None and into.recorder.by_step:
            return 1
        most = max(2 if self._open else 1, self._rows // max(batch, 1))  # of 2 steps, a row for each shows
        return steps_of_one_size(n_steps, most) if self._device == "cuda" else most

    def _before(self, into: Part | None, values: list[ort.OrtValue] | None) -> dict[str, np.ndarray]:
        """The states that a recording needs of before a chunk, by input; at rest, none."""
        if into is None or values is None:
            return {}
        wanted = {track.sent for track in into.recorder.tracks if isinstance(track, SumTrack)}
        pairs = zip(self._states, values, strict=True)
        return {state.input: value.numpy() for state, value in pairs if state.input in wanted}

    def _states_after(self, into: Part, values: list[ort.OrtValue]) -> dict[str, np.ndarray]:
        """The states that a recording needs of after a step, by output."""
        wanted = {name for track in into.recorder.tracks if isinstance(track, StateTrack) for name in track.states}
        pairs = zip(self._states, values, strict=True)
        return {state.output: value.numpy() for state, value in pairs if state.output in wanted}

    def _checked(self, saved: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """The arrays in the order of the states."""
        names = [state.input for state in self._states]
        for name in [*(n for n in names if n not in saved), *(n for n in saved if n not in names)]:
            raise ValueError(f"{'no' if name in names else 'unknown'} state {name!r}: it was saved from another model")
        batch: int | None = None
        for state in self._states:
            array = saved[state.input]
            if array.dtype != state.dtype:
                raise ValueError(f"state {state.input!r} has type {array.dtype}, the model's has {state.dtype}")
            same_rank = array.ndim == len(state.shape)
            if array.ndim and same_rank and batch is None:
                batch = array.shape[0]
            wanted = (batch, *state.shape[1:]) if state.shape else ()
            if not same_rank or any(
                isinstance(length, int) and length != given for length, given in zip(wanted, array.shape, strict=True)
            ):
                raise ValueError(f"state {state.input!r} has shape {list(array.shape)}, the model's has {list(wanted)}")
            bad = first_not_finite(array)
            if bad is not None:
                raise ValueError(f"state {state.input!r} holds NaN or infinity, first in sample {bad}")
            if state.input == STEP and array < 0:
                raise ValueError(f"state {state.input!r} is below 0, {array}")
        return [saved[name] for name in names]
