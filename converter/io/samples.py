"""Samples for a model, checked before anything is computed with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx_ir as ir

from converter.errors import RefusedError, concerning
from converter.io.files import read_npz
from converter.io.preprocess import Preprocessing
from converter.io.shards import KINDS, Block, Data, Shard, UnreadableError, find, read
from snn_ops import files
from snn_ops.feed import as_type, first_not_finite


@dataclass(frozen=True)
class Samples:
    """Arrays by input name, first axis the samples, and labels if there are any."""

    feed: dict[str, np.ndarray]
    labels: np.ndarray | None
    preprocess: Preprocessing | None = None
    """What made them of pictures or sound; None: they were read as they are."""

    def __len__(self) -> int:
        return len(next(iter(self.feed.values())))

    @property
    def shapes_of_one(self) -> dict[str, tuple[int, ...]]:
        """Of the inputs, for one sample."""
        return {name: (1, *array.shape[1:]) for name, array in self.feed.items()}

    def first(self, count: int | None) -> Samples:
        """The first `count` samples."""
        return self.take(slice(count))

    def split(self, count: int) -> tuple[Samples, Samples]:
        """The first `count` samples, and the rest."""
        return self.first(count), self.take(slice(count, None))

    def joined(self, others: Samples) -> Samples:
        """These samples, and others after them."""
        feed = {name: np.concatenate([array, others.feed[name]]) for name, array in self.feed.items()}
        labels = None
        if self.labels is not None and others.labels is not None:
            labels = np.concatenate([self.labels, others.labels])
        return Samples(feed, labels, self.preprocess)

    def take(self, which: slice | np.ndarray) -> Samples:
        """These samples."""
        feed = {name: array[which] for name, array in self.feed.items()}
        return Samples(feed, None if self.labels is None else self.labels[which], self.preprocess)

    def in_turn(self, frames: int) -> list[Samples]:
        """The same samples as frames of as many streams, in other orders, so that in a stream another one follows each.

        Args:
            frames: how many; the first has the samples in their own order.
        """
        count, shift = len(self), max(1, len(self) // max(1, frames))
        return [self.take((np.arange(count) + frame * shift) % count) for frame in range(frames)]


@dataclass(frozen=True)
class InputSpec:
    """An input as a model declares it: lengths that are None or a symbol are free."""

    name: str
    dtype: np.dtype
    shape: Sequence[int | str | None]

    @staticmethod
    def of(value: ir.Value) -> InputSpec:
        """From a value of an onnx-ir graph."""
        assert value.dtype is not None and value.shape is not None
        dims = [length if isinstance(length, int) and length > 0 else None for length in value.shape]
        return InputSpec(str(value.name), value.dtype.numpy(), [None, *dims[1:]])


def load_samples(
    path: str | Path,
    inputs: Sequence[InputSpec],
    *,
    first: int | None = None,
    preprocess: Preprocessing | None = None,
) -> Samples:
    """Reads all samples, or the first ones, into memory: whatever `shards.find` finds. Labels are ``y``, if present.

    Args:
        path: a file, a folder, a pattern, or ``module:function``.
        inputs: of the model.
        first: how many samples; default: all.
        preprocess: for pictures and sound.

    Raises:
        RefusedError: nothing there, no array for an input, no samples, wrong shape or type, NaN or infinity, labels that do
            not fit, a sample that cannot be read, more than fits into memory.
    """
    if KINDS.get(Path(path).suffix.lower(), "npz") == "npz" and Path(path).is_file() and preprocess is None:
        arrays = read_npz(path, "write it with numpy.savez(path, x=..., y=...)")
        with concerning(path):
            return check_samples(arrays, inputs).first(first)
    data = find(path).first(first)
    parts: list[Samples] = []
    held = 0
    for shard in data.shards:
        for part in strict_blocks(shard, inputs, preprocess):
            held += sum(array.nbytes for array in part.feed.values())
            if held > files.memory_bytes() // 2:
                raise RefusedError(
                    "it does not fit into memory; use fewer: --samples N, or `onnx-snn predict`", file=path
                )
            parts.append(part)
            inputs = pinned(inputs, part)
    if not parts:
        raise RefusedError("it holds no samples", file=path)
    labelled = all(part.labels is not None for part in parts)
    feed = {spec.name: np.concatenate([part.feed[spec.name] for part in parts]) for spec in inputs}
    labels = np.concatenate([part.labels for part in parts if part.labels is not None]) if labelled else None
    return Samples(feed, labels, preprocess).first(first)


def strict_blocks(
    shard: Shard, inputs: Sequence[InputSpec], preprocess: Preprocessing | None, size: int = 256
) -> Iterator[Samples]:
    """The samples of a shard, of which each has to be right, in pieces of at most `size`.

    Raises:
        RefusedError: the shard or a sample cannot be read, or the model does not take it.
    """
    file = shard.files[0] if shard.files else shard.name
    try:
        for block in read(shard, {spec.name: spec.shape for spec in inputs}, preprocess, size):
            with concerning(file):
                samples, _, odd = fitting(block, inputs, preprocess)
                if odd and samples is None and not block.odd:  # all of them: it is not this sample that is wrong
                    check_samples(block.arrays, inputs)
                if odd:
                    key, reason = odd[0]
                    raise RefusedError(reason, file=key if shard.names else f"{file}, sample {key.rpartition('#')[2]}")
            if samples is not None:
                yield samples
    except UnreadableError as error:
        raise RefusedError(str(error), file=file) from error


def head(data: Data, inputs: Sequence[InputSpec], preprocess: Preprocessing | None = None, size: int = 256) -> Samples:
    """Some of the first samples.

    Raises:
        RefusedError: there are none, or they are not right.
    """
    for shard in data.shards:
        for samples in strict_blocks(shard, inputs, preprocess, size):
            return samples
    raise RefusedError("it holds no samples", file=data.text)


def fitting(
    block: Block, inputs: Sequence[InputSpec], preprocess: Preprocessing | None = None
) -> tuple[Samples | None, list[str], list[tuple[str, str]]]:
    """The samples of a block that a model takes, their keys, and the others with the reason; None: there is none.

    Raises:
        RefusedError: the block has no array for an input.
    """
    odd = list(block.odd)
    if not block.keys:
        return None, [], odd
    try:
        return replace(check_samples(block.arrays, inputs), preprocess=preprocess), block.keys, odd
    except RefusedError:
        good, reasons = [], {}
        for index in range(len(block.keys)):
            try:
                check_samples({name: array[index : index + 1] for name, array in block.arrays.items()}, inputs)
                good.append(index)
            except RefusedError as error:
                reasons[block.keys[index]] = str(error).removesuffix(", first in sample 0")
        odd += [(key, reasons[key]) for key in block.keys if key in reasons]
    if not good:
        return None, [], odd
    samples = check_samples({name: array[good] for name, array in block.arrays.items()}, inputs)
    return replace(samples, preprocess=preprocess), [block.keys[index] for index in good], odd


def pinned(inputs: Sequence[InputSpec], samples: Samples) -> list[InputSpec]:
    """The inputs with the shape that these samples have: others are to have it, too."""
    return [replace(spec, shape=[None, *samples.feed[spec.name].shape[1:]]) for spec in inputs]


def peek_shape(path: str | Path, preprocess: Preprocessing | None = None) -> tuple[int, ...] | None:
    """The shape of a sample of ``x``; None where the data do not say it (`load_samples` says why).

    Args:
        path: as for `load_samples`; what a Python function yields is not looked at.
        preprocess: for pictures and sound.
    """
    try:
        if Path(path).is_file() and KINDS.get(Path(path).suffix.lower()) in (None, "npz") and preprocess is None:
            return files.shapes_in_npz(path)["x"][1:]
        data = find(path)
        shard = None if data.is_stream else next(iter(data.first(1).shards), None)
        if shard is None:
            return None
        block = next(iter(read(shard, {"x": []}, preprocess, 1)))
        return block.arrays["x"].shape[1:]
    except (OSError, ValueError, KeyError, RefusedError, StopIteration):
        return None


def check_takes_samples(inputs: Sequence[InputSpec]) -> None:
    """Raises RefusedError where there is no input."""
    if not inputs:
        raise RefusedError("the model has no input that samples could go into")


def random_samples(inputs: Sequence[InputSpec], count: int) -> Samples:
    """Samples for a model, always the same.

    Raises:
        RefusedError: a length or the numbers of an input are not known.
    """
    rng = np.random.default_rng(0)
    feed = {}
    for spec in inputs:
        lengths = [length for length in spec.shape[1:] if isinstance(length, int)]
        if len(lengths) < len(spec.shape) - 1:
            raise RefusedError(f"input {spec.name!r} has an axis of any length; name samples with --data")
        if spec.dtype.kind not in "fb":
            what = f"input {spec.name!r} takes {spec.dtype}, in a range that the file does not say"
            raise RefusedError(f"{what}; name samples with --data")
        numbers = rng.random((count, *lengths))
        feed[spec.name] = (numbers if spec.dtype.kind == "f" else numbers < 0.5).astype(spec.dtype)
    return Samples(feed, None)


def check_samples(arrays: Mapping[str, np.ndarray] | np.ndarray, inputs: Sequence[InputSpec]) -> Samples:
    """Samples for these inputs; see `load_samples`."""
    if isinstance(arrays, np.ndarray):
        arrays = {"x": arrays}
    if not arrays:
        raise RefusedError("it holds no arrays; it needs `x`, the samples")
    check_takes_samples(inputs)
    feed = {}
    for spec in inputs:
        name = spec.name if spec.name in arrays else "x"
        if name not in arrays or (name == "x" and len(inputs) > 1 and spec.name != "x"):
            wanted = "`x`" if len(inputs) == 1 else f"`{spec.name}`"
            raise RefusedError(f"it holds {sorted(arrays)} but no {wanted}, the samples for input {spec.name!r}")
        feed[spec.name] = _check_array(np.asarray(arrays[name]), spec, name)
    counts = {name: len(array) for name, array in feed.items()}
    if len(set(counts.values())) > 1:
        raise RefusedError(f"the inputs have different numbers of samples: {counts}")
    labels = None
    if "y" in arrays and "y" not in feed:
        labels = np.atleast_1d(arrays["y"])
        if labels.dtype.kind not in "fiub" or not np.isfinite(labels).all():
            raise RefusedError("the labels `y` are not class numbers")
        if len(labels) != next(iter(counts.values())):
            raise RefusedError(f"it holds {next(iter(counts.values()))} samples but {len(labels)} labels")
        labels = labels.argmax(axis=1) if labels.ndim == 2 and labels.shape[1] > 1 else labels.reshape(len(labels), -1)
        labels = labels.reshape(-1)  # several numbers a sample are too many labels
        if len(labels) != next(iter(counts.values())):
            raise RefusedError(f"it holds {next(iter(counts.values()))} samples but {len(labels)} labels")
        if not np.issubdtype(labels.dtype, np.integer) and not np.array_equal(labels, labels.astype(np.int64)):
            raise RefusedError("the labels `y` are not class numbers")
        labels = labels.astype(np.int64)
    return Samples(feed, labels)


def _check_array(array: np.ndarray, spec: InputSpec, name: str) -> np.ndarray:
    if array.ndim == 0 or len(array) == 0:
        raise RefusedError(f"`{name}` holds no samples")
    if array.dtype.kind not in "fiub":
        raise RefusedError(f"`{name}` holds {array.dtype}, not numbers")
    wanted = [length if isinstance(length, int) else None for length in spec.shape]
    fits = array.ndim == len(wanted) and all(w in (None, a) for w, a in zip(wanted[1:], array.shape[1:], strict=True))
    if not fits:
        shape = ", ".join("samples" if i == 0 else "any" if w is None else str(w) for i, w in enumerate(wanted))
        raise RefusedError(
            f"`{name}` has the shape {list(array.shape)}, the model's input {spec.name!r} needs [{shape}]"
        )
    bad = first_not_finite(array)
    if bad is not None:
        raise RefusedError(f"`{name}` holds NaN or infinity, first in sample {bad}")
    try:
        return np.ascontiguousarray(as_type(array, spec.dtype, name, spec.name))
    except ValueError as error:
        raise RefusedError(str(error)) from error
