"""Samples as people have them, found and read piece by piece: larger than memory is normal.

A **shard** is what is read, predicted and written as one: a file of arrays or a part of a large one, some hundred pictures or
sound files, a batch that a Python function yields. It is plain data, so that another process can read it.
"""

from __future__ import annotations

import glob
import hashlib
import importlib
import itertools
import re
import sys
import wave
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from converter.errors import RefusedError
from converter.io.optional import import_optional
from converter.io.preprocess import Preprocessing, channels_of, decoded, pictures, resized
from snn_ops import files

PIECE = 4096
"""Samples of a shard: a larger file is several."""
MOST_PASSES = 32
"""Pieces of a compressed file: each is reached by unpacking those before it."""
FILES = 512
"""Pictures or sound files of a shard."""
KINDS = {".npz": "npz", ".npy": "npy", ".parquet": "parquet", ".wav": "sound"} | dict.fromkeys(
    (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".pgm", ".webp", ".tif", ".tiff"), "picture"
)
"""What a file is, by how its name ends."""
LABELS = ("y", "label")
"""Names of the array or column with labels."""
IN_WORDS = ".npz, .npy, .parquet, pictures or .wav"
HELP = (
    "samples: .npz with `x` [samples, ...] and, if known, labels `y`; .npy; Parquet; a folder or pattern of these, of pictures "
    "(labels by sub-folder) or of .wav; or module:function that yields batches"
)
_REFERENCE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


class UnreadableError(ValueError):
    """A shard, or a sample of it, cannot be read; the message is the reason."""


@dataclass(frozen=True)
class Shard:
    """Some of the samples.

    Attributes:
        kind: one of the values of `KINDS`, or "python".
        name: of its file, from the folder of the data on; of pictures and sound files, that of the first one.
        files: where it lies.
        names, labels: of pictures and sound files, by file.
        start: the first of the file's samples that belongs to it; of batches, their number.
        count: how many; None: the file does not tell.
        batch: what a Python function yielded.
    """

    kind: str
    name: str
    files: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    labels: tuple[int, ...] = ()
    start: int = 0
    count: int | None = None
    batch: Mapping[str, np.ndarray] | None = field(default=None, repr=False)

    @property
    def digest(self) -> str:
        """Tells shards apart: of their names and places, not of what is in them."""
        text = "\0".join([self.kind, self.name, str(self.start), *self.names])
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]

    def state(self) -> str:
        """Tells that its files were changed: sizes and times."""
        if not self.files:
            return ""
        stats = [Path(name).stat() for name in self.files]
        text = " ".join(f"{stat.st_size}:{stat.st_mtime_ns}" for stat in stats)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Block:
    """Some samples of a shard, one after the other.

    Attributes:
        keys: what each is called by in all of the data.
        arrays: by name, first axis the samples; labels are `y`.
        odd: samples that could not be read: key and reason.
    """

    keys: list[str]
    arrays: dict[str, np.ndarray]
    odd: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Data:
    """What a user named.

    Attributes:
        text: the same, as it was given.
        shards: all of them; of a Python function they come one by one, once.
        classes: names of the sub-folders, by label.
    """

    text: str
    shards: Iterable[Shard]
    classes: tuple[str, ...] = ()

    @property
    def is_stream(self) -> bool:
        """It comes from a Python function: how much there is nobody knows before its end."""
        return not isinstance(self.shards, tuple)

    @property
    def is_one(self) -> bool:
        """It is a single shard."""
        return isinstance(self.shards, tuple) and len(self.shards) == 1

    @property
    def count(self) -> int | None:
        """Samples in all; None: not known."""
        if not isinstance(self.shards, tuple) or any(shard.count is None for shard in self.shards):
            return None
        return sum(shard.count or 0 for shard in self.shards)

    def first(self, count: int | None) -> Data:
        """The first `count` samples. Shards whose number of samples is not known are taken whole."""
        return self if count is None else replace(self, shards=_first(self.shards, count, self.is_stream))


def find(data: str | Path) -> Data:
    """The shards of what a user named: a file, a folder, a pattern, or ``module:function``.

    Only names and headers are read: a file that is damaged becomes a shard, and is told of when it is read.

    Raises:
        RefusedError: there is nothing, or files of several kinds.
    """
    text = str(data)
    path = Path(text)
    if _REFERENCE.fullmatch(text) and not path.exists():
        return Data(text, _batches_of(text))
    if not text or "\0" in text:
        raise RefusedError("name a file, a folder or a pattern of files with samples")
    if path.is_dir():
        root, found = (
            path,
            [p for p in path.rglob("*") if not any(part.startswith(".") for part in p.relative_to(path).parts)],
        )
    elif glob.has_magic(text) and not path.exists():
        root = Path(*itertools.takewhile(lambda part: not glob.has_magic(part), path.parts[:-1]))
        found = list(root.glob(path.relative_to(root).as_posix()))
        if not found:
            raise RefusedError("no file has such a name", file=text)
    elif path.is_file():
        if KINDS.get(path.suffix.lower()) in ("picture", "sound"):
            return _of_files(text, path.parent, [path])
        return Data(text, tuple(_pieces(KINDS.get(path.suffix.lower(), "npz"), path.name, path)))
    else:
        raise RefusedError("there is no such file" if not path.exists() else "this is no file", file=text)
    return _of_files(text, root, sorted(p for p in found if p.suffix.lower() in KINDS and p.is_file()))


def _of_files(text: str, root: Path, paths: Sequence[Path]) -> Data:
    kinds = {KINDS[path.suffix.lower()] for path in paths}
    if not kinds:
        raise RefusedError(f"there are no samples here: no {IN_WORDS}", file=text)
    if len(kinds) > 1:
        raise RefusedError(
            f"there are files of several kinds here: {', '.join(sorted({p.suffix.lower() for p in paths}))}; "
            f"name one kind with a pattern, such as '{text.rstrip('/')}/*{paths[0].suffix}'",
            file=text,
        )
    kind = kinds.pop()
    named = [(path, path.relative_to(root).as_posix()) for path in paths]
    if kind not in ("picture", "sound"):
        return Data(text, tuple(piece for path, name in named for piece in _pieces(kind, name, path)))
    folders = sorted({Path(name).parent.as_posix() for _, name in named})
    labelled = folders != ["."] and "." not in folders
    if labelled and all(folder.isdecimal() for folder in folders):
        numbers = {folder: int(folder) for folder in folders}
    else:
        numbers = {folder: number for number, folder in enumerate(folders)}
    shards = []
    for first in range(0, len(named), FILES):
        part = named[first : first + FILES]
        labels = tuple(numbers[Path(name).parent.as_posix()] for _, name in part) if labelled else ()
        where, names = tuple(str(p.absolute()) for p, _ in part), tuple(name for _, name in part)
        shards.append(Shard(kind, names[0], where, names, labels, count=len(part)))
    return Data(text, tuple(shards), tuple(folders) if labelled else ())


def _pieces(kind: str, name: str, path: Path) -> list[Shard]:
    """A file of arrays as shards of at most about `PIECE` samples."""
    where = (str(path.absolute()),)
    try:
        count, packed = _rows(kind, path)
    except (UnreadableError, OSError, ValueError):
        return [Shard(kind, name, where)]
    size = max(PIECE, -(-count // MOST_PASSES)) if packed else PIECE
    starts = range(0, max(count, 1), size)
    return [Shard(kind, name, where, start=start, count=min(size, count - start)) for start in starts]


def _rows(kind: str, path: Path) -> tuple[int, bool]:
    """How many samples a file of arrays has, and whether it has to be unpacked from its beginning.

    Raises:
        OSError, ValueError: it cannot be read.
    """
    if kind == "npz":
        shapes = files.shapes_in_npz(path)
        shape = shapes.get("x") or next((s for name, s in shapes.items() if s and name not in LABELS), None)
        if not shape:
            raise UnreadableError(f"it holds {sorted(shapes)} but no `x`, the samples")
        return shape[0], files.is_packed(path)
    if kind == "npy":
        array = _npy(path)
        return (len(array) if array.ndim else 0), False
    try:
        return int(_parquet().ParquetFile(path).metadata.num_rows), False
    except RefusedError:
        raise
    except Exception as error:
        raise UnreadableError("not a Parquet file, or it is damaged") from error


def _npy(path: Path) -> np.ndarray:
    try:
        array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError:
        raise
    except Exception as error:  # whatever NumPy raises on a damaged file
        raise UnreadableError("not an .npy file with an array of numbers, or it is damaged") from error
    return array


def _parquet() -> Any:
    return import_optional("pyarrow.parquet", "scale")


def _first(shards: Iterable[Shard], count: int, stream: bool) -> Iterable[Shard]:
    cut = _cut(shards, count)
    return cut if stream else tuple(cut)


def _cut(shards: Iterable[Shard], count: int) -> Iterator[Shard]:
    for shard in shards:
        if count <= 0:
            return
        if shard.count is None or shard.count <= count:
            yield shard
        elif shard.files and shard.names:
            yield replace(
                shard, files=shard.files[:count], names=shard.names[:count], labels=shard.labels[:count], count=count
            )
        else:
            batch = {name: array[:count] for name, array in shard.batch.items()} if shard.batch is not None else None
            yield replace(shard, count=count, batch=batch)
        count -= shard.count or 0


def _batches_of(reference: str) -> Iterator[Shard]:
    """What the function yields, a shard for each batch. It runs code that the user named."""
    module, _, name = reference.partition(":")
    here = str(Path.cwd())
    sys.path.append(here)  # last: nothing there takes the place of a library
    try:
        function = getattr(importlib.import_module(module), name)
        yield from _numbered(reference, function())
    except RefusedError:
        raise
    except Exception as error:
        raise RefusedError(f"{type(error).__name__}: {error}", file=reference) from error
    finally:
        sys.path.remove(here)


def _numbered(reference: str, batches: Iterable[Any]) -> Iterator[Shard]:
    for number, batch in enumerate(batches):
        if isinstance(batch, tuple) and len(batch) == 2:
            batch = {"x": batch[0], "y": batch[1]}
        arrays = batch if isinstance(batch, Mapping) else {"x": batch}
        arrays = {str(key): np.asarray(value) for key, value in arrays.items()}
        counts = {len(array) if array.ndim else 0 for array in arrays.values()}
        if len(counts) != 1:
            raise RefusedError(f"batch {number} has arrays of different numbers of samples: {sorted(counts)}")
        yield Shard("python", reference, start=number, count=counts.pop(), batch=arrays)


def read(
    shard: Shard,
    shapes: Mapping[str, Sequence[int | str | None]],
    preprocess: Preprocessing | None = None,
    size: int = 256,
) -> Iterator[Block]:
    """The samples of a shard, in pieces of at most `size`.

    Args:
        shard: from `find`.
        shapes: of the model's inputs, by name, the first length that of the batch.
        preprocess: for pictures and sound; without it, pixels / 255. Arrays of bytes that are pictures take it, too.
        size: samples to read at once.

    Raises:
        UnreadableError: the shard cannot be read.
    """
    reader = {"npz": _read_npz, "npy": _read_npy, "parquet": _read_parquet, "python": _read_batch}.get(
        shard.kind, _read_files
    )
    try:
        for block in reader(shard, shapes, preprocess, size):
            arrays = {
                name: _as_sample(array, _shape_for(name, shapes), preprocess)
                if name not in LABELS or name in shapes
                else array
                for name, array in block.arrays.items()
            }
            yield replace(block, arrays=arrays)
    except (UnreadableError, RefusedError):
        raise
    except MemoryError:
        raise UnreadableError("it does not fit into memory") from None
    except OSError as error:
        raise UnreadableError(error.strerror or str(error)) from error
    except ValueError as error:
        raise UnreadableError(str(error)) from error


def _shape_for(name: str, shapes: Mapping[str, Sequence[int | str | None]]) -> Sequence[int | str | None]:
    return shapes.get(name, next(iter(shapes.values()), ()))


def _as_sample(array: np.ndarray, shape: Sequence[int | str | None], preprocess: Preprocessing | None) -> np.ndarray:
    """Arrays of bytes that are pictures, as the model takes them; others as they are."""
    if preprocess is None or (images := pictures(array)) is None:
        return array
    if preprocess.size is not None and images.shape[1:3] != preprocess.size:
        images = np.stack([resized(image, preprocess.size) for image in images])
    return preprocess.apply(images, shape)


def _keys(shard: Shard, first: int, count: int) -> list[str]:
    return [f"{shard.name}#{row}" for row in range(first, first + count)]


Wanted = Mapping[str, Sequence[int | str | None]]


def _chosen(names: Iterable[str], wanted: Wanted) -> list[str]:
    """The arrays that are samples or labels."""
    names = list(names)
    chosen = [name for name in names if name in wanted or name == "x"]
    if not chosen:
        raise UnreadableError(
            f"it holds {sorted(names)} but no `{'x' if len(wanted) < 2 else next(iter(wanted))}`, the samples"
        )
    return chosen + [name for name in LABELS if name in names and name not in chosen][:1]


def _labels_as_y(arrays: dict[str, np.ndarray], wanted: Wanted) -> dict[str, np.ndarray]:
    return {("y" if name in LABELS and name not in wanted else name): array for name, array in arrays.items()}


def _read_npz(shard: Shard, wanted: Wanted, _: Preprocessing | None, size: int) -> Iterator[Block]:
    names = _chosen(files.shapes_in_npz(shard.files[0]), wanted)
    row = shard.start
    for arrays in files.rows_in_npz(shard.files[0], names, shard.start, shard.count, size):
        count = len(arrays[names[0]])
        yield Block(_keys(shard, row, count), _labels_as_y(arrays, wanted))
        row += count


def _read_npy(shard: Shard, wanted: Wanted, _: Preprocessing | None, size: int) -> Iterator[Block]:
    array = _npy(Path(shard.files[0]))
    if not array.ndim:
        raise UnreadableError("it holds one number, not [samples, ...]")
    stop = len(array) if shard.count is None else shard.start + shard.count
    for first in range(shard.start, stop, size):
        part = np.array(array[first : min(first + size, stop)])
        yield Block(_keys(shard, first, len(part)), {"x": part})


def _read_batch(shard: Shard, wanted: Wanted, _: Preprocessing | None, size: int) -> Iterator[Block]:
    assert shard.batch is not None
    chosen = _chosen(shard.batch, wanted)
    for first in range(0, shard.count or 0, size):
        arrays = {name: shard.batch[name][first : first + size] for name in chosen}
        keys = [f"{shard.name}#{shard.start}#{first + row}" for row in range(len(arrays[chosen[0]]))]
        yield Block(keys, _labels_as_y(arrays, wanted))


def _read_parquet(shard: Shard, wanted: Wanted, preprocess: Preprocessing | None, size: int) -> Iterator[Block]:
    try:
        file = _parquet().ParquetFile(shard.files[0])
        columns = file.schema_arrow.names
    except RefusedError:
        raise
    except Exception as error:  # whatever pyarrow raises on a damaged file
        raise UnreadableError("not a Parquet file, or it is damaged") from error
    samples = [name for name in columns if name in wanted or name in ("x", "image")]
    if not samples:
        raise UnreadableError(f"it has the columns {sorted(columns)} but no `x`, the samples")
    labels = [name for name in LABELS if name in columns and name not in samples][:1]
    row, stop = 0, None if shard.count is None else shard.start + shard.count
    groups: list[int] = []
    for group in range(file.num_row_groups):  # those before the first sample are not read
        length = file.metadata.row_group(group).num_rows
        if not groups and row + length <= shard.start:
            row += length
        else:
            groups.append(group)
    try:
        for batch in file.iter_batches(size, row_groups=groups, columns=[*samples, *labels]):
            low, high = max(shard.start - row, 0), batch.num_rows if stop is None else min(batch.num_rows, stop - row)
            if low < high:
                part = batch.slice(low, high - low)
                rows = [
                    {name: part.column(name)[i].as_py() for name in part.schema.names} for i in range(part.num_rows)
                ]
                yield _stacked(_keys(shard, row + low, high - low), [_row(r, wanted, preprocess) for r in rows], wanted)
            row += batch.num_rows
            if stop is not None and row >= stop:
                break
    except (UnreadableError, RefusedError):
        raise
    except Exception as error:
        raise UnreadableError(f"it is damaged: {str(error).splitlines()[0][:100]}") from error


def _row(values: Mapping[str, Any], wanted: Wanted, preprocess: Preprocessing | None) -> dict[str, np.ndarray] | str:
    """A row of a table as a sample, or why it is none."""
    arrays: dict[str, np.ndarray] = {}
    for column, value in values.items():
        if column in LABELS and column not in wanted:
            arrays["y"] = np.asarray(value)
            continue
        name = column if column in wanted else "x"
        shape = _shape_for(name, wanted)
        stored = value.get("bytes") if isinstance(value, dict) else value
        try:
            if isinstance(stored, bytes):
                array = _picture(stored, shape, preprocess)
            else:
                array = np.asarray(value)
                inner = [length for length in shape[1:] if isinstance(length, int)]
                if array.ndim == 1 and len(inner) == len(shape) - 1 and array.size == np.prod(inner, dtype=int):
                    array = array.reshape(inner)  # a table has a column of flat lists
        except (ValueError, OSError) as error:
            return f"`{column}`: {error}"
        if array.dtype.kind not in "fiub":
            return f"`{column}` is no array of numbers"
        arrays[name] = array
    return arrays


def _picture(stored: bytes | str, shape: Sequence[int | str | None], preprocess: Preprocessing | None) -> np.ndarray:
    import io  # noqa: PLC0415

    chosen = preprocess or Preprocessing()
    colours = max(len(chosen.mean), len(chosen.std))
    image = decoded(
        io.BytesIO(stored) if isinstance(stored, bytes) else stored,
        colours if colours > 1 else channels_of(shape),
        chosen.size,
    )
    sample: np.ndarray = chosen.apply(image[None], shape)[0]
    return sample


def _read_files(shard: Shard, wanted: Wanted, preprocess: Preprocessing | None, size: int) -> Iterator[Block]:
    """Pictures or sound files."""
    shape = _shape_for("x", wanted)
    for first in range(0, len(shard.files), size):
        rows: list[dict[str, np.ndarray] | str] = []
        for index in range(first, min(first + size, len(shard.files))):
            try:
                if shard.kind == "picture":
                    row = {"x": _picture(shard.files[index], shape, preprocess)}
                else:
                    row = {"x": _sound(shard.files[index], shape, preprocess)}
            except OSError as error:
                rows.append(error.strerror or str(error))
            except ValueError as error:
                rows.append(str(error))
            else:
                rows.append(row | ({"y": np.asarray(shard.labels[index])} if shard.labels else {}))
        yield _stacked(list(shard.names[first : first + size]), rows, wanted)


def _sound(path: str, shape: Sequence[int | str | None], preprocess: Preprocessing | None) -> np.ndarray:
    """A sound file, numbers from -1 to 1: ``[frames]``, or with channels where the model's input has them."""
    try:
        with wave.open(path, "rb") as file:
            channels, width, rate = file.getnchannels(), file.getsampwidth(), file.getframerate()
            data = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise ValueError(f"not a .wav file of PCM, or it is damaged: {error or 'it ends too early'}") from error
    if preprocess is not None and preprocess.rate is not None and rate != preprocess.rate:
        raise ValueError(f"it has {rate} samples a second, not {preprocess.rate}")
    if len(data) % (channels * width):
        raise ValueError("it ends too early")
    if width == 1:
        numbers = (np.frombuffer(data, np.uint8).astype(np.float32) - 128) / 128
    elif width == 3:
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        numbers = (wide.view("<i4")[:, 0] / 2.0**31).astype(np.float32)
    else:
        numbers = (np.frombuffer(data, f"<i{width}") / 2.0 ** (8 * width - 1)).astype(np.float32)
    frames = numbers.reshape(-1, channels)
    if len(shape) == 3:
        return frames if shape[2] == channels and shape[1] != channels else np.ascontiguousarray(frames.T)
    return frames[:, 0] if channels == 1 else frames.mean(axis=1)


def _stacked(keys: list[str], rows: Sequence[dict[str, np.ndarray] | str], wanted: Wanted) -> Block:
    """Samples of one shape as a block: that of the model's input, else that of most of them. The others are odd."""
    rows = [row if isinstance(row, str) else _misfit(row, wanted) or row for row in rows]
    good = [(key, row) for key, row in zip(keys, rows, strict=True) if not isinstance(row, str)]
    odd = [(key, row) for key, row in zip(keys, rows, strict=True) if isinstance(row, str)]
    forms = [{name: array.shape for name, array in row.items()} for _, row in good]
    usual = max(forms, key=forms.count, default={})
    kept = [each for each, form in zip(good, forms, strict=True) if form == usual]
    for (key, _), form in zip(good, forms, strict=True):
        if form != usual:
            odd.append((key, f"it has the shapes {_shown(form)}, others {_shown(usual)}"))
    arrays = {name: np.stack([row[name] for _, row in kept]) for name in usual}
    return Block([key for key, _ in kept], arrays, sorted(odd, key=lambda each: keys.index(each[0])))


def _misfit(row: Mapping[str, np.ndarray], wanted: Wanted) -> str | None:
    """Why a sample is none for the model's inputs, where these have a shape."""
    for name, array in row.items():
        if name == "y" and name not in wanted:
            continue
        if not _shape_for(name, wanted):  # nobody says
            continue
        inner = list(_shape_for(name, wanted)[1:])
        if array.ndim != len(inner) or any(
            isinstance(n, int) and n != m for n, m in zip(inner, array.shape, strict=True)
        ):
            shape = ", ".join(str(n) if isinstance(n, int) else "any" for n in inner)
            return f"it has the shape {list(array.shape)}, the model's input needs [{shape}]"
    return None


def _shown(form: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {list(shape)}" for name, shape in form.items())
