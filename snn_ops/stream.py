"""Running a model in chunks of time, its state carried from chunk to chunk on the device."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from os import PathLike

import numpy as np
import onnxruntime as ort

from snn_ops.feed import Inputs, by_name, checked_steps, first_not_finite
from snn_ops.files import read_npz, write_npz
from snn_ops.format import N_STEPS, STEP
from snn_ops.provider import device_id, without_graph

_ELEMENTS = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64}


@dataclass(frozen=True)
class State:
    """A state of a streaming model.

    Attributes:
        input: the graph input that takes it; its default is the state at rest.
        output: the graph output that gives it after the last step.
        dtype: of its numbers.
        shape: as the file declares the output; a name or None stands for a length that varies.
    """

    input: str
    output: str
    dtype: np.dtype
    shape: tuple[int | str | None, ...]


def states_of(session: ort.InferenceSession, pairs: Sequence[Mapping[str, str]]) -> list[State]:
    """The states that a file declares.

    Args:
        session: of the file.
        pairs: names of their inputs and outputs (`Metadata.states`).

    Raises:
        ValueError: the model does not have one of these states.
    """
    inputs = {i.name for i in session.get_overridable_initializers()}
    outputs = {o.name: o for o in session.get_outputs() if o.type in _ELEMENTS}
    states = []
    for pair in pairs:
        name, output = pair["input"], outputs.get(pair["output"])
        if name not in inputs or output is None:
            raise ValueError(f"the file's metadata name a state {name!r} that the model does not have")
        states.append(State(name, output.name, np.dtype(_ELEMENTS[output.type]), tuple(output.shape)))
    return states


class Stream:
    """One run of a streaming model, continued chunk by chunk: made by ``Session.stream()``.

    The state stays on the session's device. A chunk reads one state and writes another, so a run that fails leaves the stream
    where it was. Streams of one session are independent and may run in different threads; one stream belongs to one caller
    at a time.

    Args:
        session: of ONNX Runtime.
        states: what to carry.
        inputs, outputs: the model's own, those of `outputs` that are wanted.
        numbers: what other inputs of the model get in every chunk.
        device: "cpu" or "cuda".
        n_steps: of a chunk that does not say how many.
        rows: samples times steps that run at once, see `run`.
        has_frames: a new frame may begin (`run`): the file's code is the delta code.
        guard: a context to call ONNX Runtime in.
    """

    def __init__(
        self,
        session: ort.InferenceSession,
        states: Sequence[State],
        inputs: Sequence[str],
        outputs: Sequence[str],
        *,
        numbers: Mapping[str, np.ndarray],
        device: str,
        n_steps: int,
        rows: int,
        has_frames: bool,
        guard: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._session, self._states = session, list(states)
        self._inputs, self._outputs, self._numbers = list(inputs), list(outputs), dict(numbers)
        self._device, self._device_id, self._run_options = device, device_id(session), without_graph()
        self._n_steps, self._rows, self._guard, self._has_frames = n_steps, rows, guard, has_frames
        self._batch: int | None = None
        self._values: list[ort.OrtValue] | None = None  # on the device; None: at rest

    def run(self, inputs: Inputs, n_steps: int | None = None, *, new_frame: bool = False) -> list[np.ndarray]:
        """Advances by `n_steps` steps.

        They run in chunks of rows / batch steps (at least one), so that the activations of a long run stay in the cache. The
        inputs go to the device once, the outputs come back once. Whatever the chunks, our operators give the same bits, on
        every device. On a CPU so did whole models, all that were tried; on a GPU cuDNN and cuBLAS choose how they sum by the
        number of rows, so that a chunk may round otherwise, and a neuron just below its threshold fire a step later.

        Args:
            inputs: as for `Session.run`, held for these steps; the next call may bring others.
            n_steps: default: the session's.
            new_frame: the input has changed as a whole: neurons of the delta code send large spikes first again, and finer ones
                from step to step, as at the beginning of the stream. What was sent stays; without this, every step may use the
                file's finest height.

        Returns:
            The model's outputs after the last of these steps. With the rate code they are means over all steps since the stream
            began; with the delta code they answer for the present input.

        Raises:
            ValueError: n_steps below 1, new_frame in a file of the rate code, inputs missing, a sample that holds NaN or
                infinity, or not as many samples as the stream began with. The stream stays where it was.
        """
        steps = checked_steps(self._n_steps if n_steps is None else n_steps)
        arrays = {name: np.ascontiguousarray(array) for name, array in by_name(inputs, self._inputs).items()}
        batch = len(next(iter(arrays.values())))
        if self._batch is not None and batch != self._batch:
            raise ValueError(
                f"the stream began with {self._batch} samples, not {batch}; Session.stream() begins another"
            )
        chunk = max(1, self._rows // max(batch, 1))
        held = self._held({**arrays, **self._numbers}, n_chunks=-(-steps // chunk))
        values = self._at_new_frame() if new_frame else self._values
        for done in range(0, steps, chunk):
            is_last = done + chunk >= steps
            results, values = self._advance(held, values, min(chunk, steps - done), self._outputs if is_last else ())
        self._batch, self._values = batch, values
        return results

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
        inputs: Mapping[str, ort.OrtValue],
        values: list[ort.OrtValue] | None,
        n_steps: int,
        outputs: Sequence[str],
    ) -> tuple[list[np.ndarray], list[ort.OrtValue]]:
        """One call of ONNX Runtime, from the state `values`: the outputs of these names, and the state after it.

        The binding is a new one: in ONNX Runtime 1.23 one that was cleared and bound again mixed up its outputs.
        """
        binding = self._session.io_binding()
        steps = ort.OrtValue.ortvalue_from_numpy(np.asarray(n_steps, np.int64))
        for name, value in {**inputs, N_STEPS: steps}.items():
            binding.bind_ortvalue_input(name, value)
        if values is not None:
            for state, value in zip(self._states, values, strict=True):
                binding.bind_ortvalue_input(state.input, value)
        for name in outputs:
            binding.bind_output(name, "cpu")
        for state in self._states:
            binding.bind_output(state.output, self._device, self._device_id)
        with self._guard():
            self._session.run_with_iobinding(binding, self._run_options)
        found = binding.get_outputs()
        count = len(outputs)
        return [np.array(value.numpy()) for value in found[:count]], found[count:]

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
