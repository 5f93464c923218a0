"""Predictions for data of any size: a folder of Parquet files in which every sample stands exactly once (docs/predict.md).

A shard of the data is one file, written whole or not at all, whose name follows from the shard and whose footer says what
became of its samples. So a run that was killed goes on where it was: what is there is done, and a shard that is worked on twice
gives the same file.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import snn_ops
from converter.engine.local import Engine
from converter.errors import RefusedError
from converter.graph.run import ONNX_RUNTIME_ERRORS, RUNTIME_ERRORS, brief
from converter.io.files import write_whole
from converter.io.preprocess import Preprocessing
from converter.io.progress import Progress, silent
from converter.io.samples import InputSpec, Samples, fitting, pinned
from converter.io.shards import Data, Shard, UnreadableError, read
from converter.measure.instruments import SAMPLE_SPIKES, with_sample_spikes
from converter.measure.scores import classes_of
from converter.spiking.model import SpikingModel
from snn_ops.format import Metadata
from snn_ops.session import Session

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

MANIFEST = "_manifest.json"
"""Readers of a folder of Parquet files leave out what begins so."""
FORMAT = 1
"""Of a folder with predictions."""
LOCK = ".lock"
_FOOTER = b"onnx_snn.shard"
"""Where a file says what became of its shard."""
OWN = ("key", "class", "n_steps", "spikes", "label")
"""Columns beside the outputs."""
LOOK_AT = 8
"""Shards in which a first sample is looked for."""
READ, READ_BYTES = 256, 32 << 20
"""Samples that are read at once, and bytes."""
TELL_AFTER = 5.0
"""Seconds after which the manifest is written anew."""
Odd = list[tuple[str, str]]


@dataclass(frozen=True)
class Record:
    """What became of a shard.

    Attributes:
        shard: its name.
        start, count, digest, state: of `Shard`.
        file: of the predictions, in the folder; empty: there are none.
        samples: predicted.
        odd: samples that could not be: key and reason.
        error: why the shard could not be read; empty: it could.
        labelled, right: samples with a label, and those whose class it is.
        spikes: of all samples.
    """

    shard: str
    start: int
    count: int | None
    digest: str
    state: str
    file: str = ""
    samples: int = 0
    odd: Odd = field(default_factory=list)
    error: str = ""
    labelled: int = 0
    right: int = 0
    spikes: int = 0

    @classmethod
    def of(cls, shard: Shard, **changes: Any) -> Record:
        """A record of a shard."""
        state = ""
        with suppress(OSError):
            state = shard.state()
        return cls(shard.name, shard.start, shard.count, shard.digest, state, **changes)


@dataclass(frozen=True)
class Predictions:
    """What `predict` did.

    Attributes:
        folder: with the files.
        records: of all shards.
        seconds, done_now: of this run, without what earlier ones did.
    """

    folder: Path
    records: Sequence[Record]
    seconds: float
    done_now: int

    @property
    def samples(self) -> int:
        """Predicted, in all runs."""
        return sum(record.samples for record in self.records)

    @property
    def odd(self) -> Odd:
        """Samples that could not be predicted: key and reason."""
        return [each for record in self.records for each in record.odd]

    @property
    def unreadable(self) -> dict[str, str]:
        """Shards that could not be read, with the reason."""
        return {record.shard: record.error for record in self.records if record.error}

    def summary(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        labelled = sum(record.labelled for record in self.records)
        return {
            "out": str(self.folder),
            "samples": self.samples,
            "odd": [{"key": key, "reason": reason} for key, reason in self.odd],
            "unreadable": self.unreadable,
            "accuracy": sum(record.right for record in self.records) / labelled if labelled else None,
            "spikes_per_sample": sum(r.spikes for r in self.records) / self.samples if self.samples else None,
            "samples_now": self.done_now,
            "seconds": self.seconds,
        }


@dataclass(frozen=True)
class Output:
    """An output of the model: name, NumPy's name of its type, shape for one sample."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def column(self) -> str:
        """Its column."""
        return f"{self.name}_output" if self.name in OWN else self.name

    def type(self) -> pa.DataType:
        """Of its column: a list of all numbers of a sample."""
        element = pa.string() if self.dtype in ("object", "str") else pa.from_numpy_dtype(np.dtype(self.dtype))
        return pa.list_(element, int(np.prod(self.shape, dtype=np.int64)))


@dataclass(frozen=True)
class Job:
    """All that a worker needs; called once in each process, it starts a session.

    Attributes:
        model: the file's name, for messages.
        proto: its bytes, with spikes of each sample as an output if they are wanted.
        session: options of `Session`.
        n_steps: time steps.
        inputs: of the model, with the shape of a sample of these data.
        outputs: of the model.
        preprocess: for pictures and sound.
        folder: for the predictions.
        strict: stop at the first sample that cannot be predicted.
        tell: called with the samples done, in this process only.
    """

    model: str
    proto: bytes
    session: Mapping[str, Any]
    n_steps: int
    inputs: tuple[InputSpec, ...]
    preprocess: Preprocessing | None
    folder: str
    outputs: tuple[Output, ...] = ()
    strict: bool = False
    tell: Callable[[int], None] | None = None

    def __call__(self) -> Worker:
        """Starts a session.

        Raises:
            RefusedError: ONNX Runtime cannot load the model.
        """
        return Worker(self)


class Worker:
    """Predicts shards, one after the other, with one session."""

    def __init__(self, job: Job) -> None:
        self._job = job
        try:
            self._session = Session(job.proto, **job.session)
        except RUNTIME_ERRORS as error:
            raise RefusedError(brief(error), file=job.model) from error
        metadata = Metadata.read(self._session.ort.get_modelmeta().custom_metadata_map)
        rows = 1 if metadata.at_once else job.n_steps
        self._at_once = max(1, self._session.rows // rows)

    def __call__(self, shard: Shard) -> Record:
        """Predicts a shard and writes its file.

        Raises:
            RefusedError: `strict`, and a sample or the shard cannot be read; or the file cannot be written.
        """
        job = self._job
        try:
            counted = Record.of(shard, file=file_of(shard))
            made: list[Record] = []

            def write(file: IO[bytes]) -> None:
                with pq.ParquetWriter(file, self.schema(), compression="zstd") as writer:
                    made.append(self._write(shard, counted, writer))
                    writer.add_key_value_metadata({_FOOTER: json.dumps(asdict(made[0])).encode()})

            write_whole(Path(job.folder) / counted.file, write)
        except UnreadableError as error:
            if job.strict:
                raise RefusedError(str(error), file=shard.files[0] if shard.files else shard.name) from error
            return Record.of(shard, error=str(error))
        return made[0]

    def _write(self, shard: Shard, record: Record, writer: pq.ParquetWriter) -> Record:
        for samples, keys, odd in self.blocks(shard):
            if odd and self._job.strict:
                raise RefusedError(odd[0][1], file=odd[0][0])
            record = replace(record, odd=[*record.odd, *odd])
            if samples is None:
                continue
            arrays = self.run(samples, first_sample(shard, keys))
            table, right = self._table(keys, arrays, samples.labels)
            writer.write_table(table)
            spikes = arrays.get(SAMPLE_SPIKES)
            record = replace(
                record,
                samples=record.samples + len(keys),
                labelled=record.labelled + (0 if samples.labels is None else len(keys)),
                right=record.right + right,
                spikes=record.spikes + (0 if spikes is None else int(spikes.sum())),
            )
            if self._job.tell:
                self._job.tell(len(keys))
        return record

    def blocks(self, shard: Shard) -> Iterator[tuple[Samples | None, list[str], Odd]]:
        """The samples of a shard, piece by piece, with their keys, and those that the model does not take.

        Raises:
            UnreadableError: it cannot be read.
        """
        inputs = self._job.inputs
        lengths = [length for spec in inputs for length in spec.shape[1:]]
        size = READ
        if all(isinstance(length, int) for length in lengths):
            numbers = sum(int(np.prod([n for n in spec.shape[1:] if isinstance(n, int)])) for spec in inputs)
            size = int(np.clip(READ_BYTES // max(1, 4 * numbers), 1, READ))
        for block in read(shard, {spec.name: spec.shape for spec in inputs}, self._job.preprocess, size):
            yield fitting(block, inputs, self._job.preprocess)

    def run(self, samples: Samples, first: int) -> dict[str, np.ndarray]:
        """The outputs by name, ``[samples, ...]``.

        Raises:
            RefusedError: an output has no row for each sample, or ONNX Runtime cannot run the model on them.
        """
        parts: list[list[np.ndarray]] = []
        names = self._session.output_names
        for start in range(0, len(samples), self._at_once):
            part = {name: array[start : start + self._at_once] for name, array in samples.feed.items()}
            try:
                found = self._session.run_batch(part, self._job.n_steps, names, first + start)
            except ONNX_RUNTIME_ERRORS as error:
                raise RefusedError(f"ONNX Runtime cannot run it: {brief(error)}", file=self._job.model) from error
            count = len(next(iter(part.values())))
            for name, array in zip(names, found, strict=True):
                if not array.ndim or len(array) != count:
                    raise RefusedError(
                        f"its output {name!r} has the shape {list(array.shape)} for {count} samples: not a row for each",
                        file=self._job.model,
                    )
            parts.append(found)
        return {name: np.concatenate(arrays) for name, *arrays in zip(names, *parts, strict=True)}

    def schema(self) -> pa.Schema:
        """The columns of a file."""
        fields = [pa.field("key", pa.string()), *(pa.field(each.column, each.type()) for each in self._job.outputs)]
        fields += [pa.field("class", pa.int64()), pa.field("n_steps", pa.int64())]
        if SAMPLE_SPIKES in self._session.output_names:
            fields.append(pa.field("spikes", pa.int64()))
        return pa.schema([*fields, pa.field("label", pa.int64())])

    def _table(
        self, keys: Sequence[str], arrays: Mapping[str, np.ndarray], labels: np.ndarray | None
    ) -> tuple[pa.Table, int]:
        """Rows of a file, and how many classes are those of the labels."""
        schema = self.schema()
        columns: dict[str, Any] = {"key": list(keys), "n_steps": np.full(len(keys), self._job.n_steps, np.int64)}
        for output in self._job.outputs:
            array = arrays[output.name]
            if array.shape[1:] != output.shape:
                raise UnreadableError(
                    f"output {output.name!r} has the shape {list(array.shape[1:])}, of earlier samples {list(output.shape)}"
                )
            kind = output.type()
            flat = array.reshape(-1)
            values = pa.array(flat.tolist() if flat.dtype.kind in "OU" else np.ascontiguousarray(flat), kind.value_type)
            columns[output.column] = pa.FixedSizeListArray.from_arrays(values, kind.list_size)
        first = arrays[self._job.outputs[0].name]
        classes = classes_of(first, 1) if first.dtype.kind in "fiu" else None
        columns["class"] = pa.nulls(len(keys), pa.int64()) if classes is None else classes.astype(np.int64)
        columns["label"] = pa.nulls(len(keys), pa.int64()) if labels is None else labels
        columns["spikes"] = arrays.get(SAMPLE_SPIKES)
        right = 0 if classes is None or labels is None else int((classes == labels).sum())
        return pa.table(
            [pa.array(columns[name], schema.field(name).type) for name in schema.names], schema=schema
        ), right


def predict(
    spiking: SpikingModel,
    data: Data,
    folder: str | Path,
    *,
    engine: Engine,
    n_steps: int | None = None,
    preprocess: Preprocessing | None = None,
    strict: bool = False,
    spikes: bool = True,
    look: Callable[[Samples], None] = lambda samples: None,
    progress: Progress = silent,
    in_process: bool = True,
    **session: Any,
) -> Predictions:
    """Predicts all samples of the data that `folder` does not have yet.

    Args:
        spiking: the model.
        data: from `converter.io.shards.find`.
        folder: for the predictions; one that an earlier run left is gone on with.
        engine: where to work.
        n_steps: time steps; default: the file's.
        preprocess: for pictures and sound.
        strict: stop at the first sample or shard that cannot be predicted.
        spikes: count the spikes of each sample.
        look: called with some samples before anything is computed.
        progress: called with samples done and their number.
        in_process: `engine` works in this process, so that progress is told within a shard.
        session: options of `snn_ops.Session`.

    Raises:
        RefusedError: the folder holds something else or cannot be written to; no sample could be read; `strict`.
    """
    out = Path(folder)
    with _held(out, data):
        proto = with_sample_spikes(spiking.proto) if spikes else spiking.proto
        job = Job(
            str(spiking.path),
            proto.SerializeToString(),
            {"libraries": spiking.libraries, "n_steps": n_steps or spiking.n_steps, **session},
            n_steps or spiking.n_steps,
            tuple(spiking.inputs),
            preprocess,
            str(out.absolute()),
            strict=strict,
        )
        before = _manifest(out)
        if before is None:
            job, data = _fitted(job, data, look)
        else:
            job = _as_before(job, before)
        identity = _identity(job, spiking)
        _check_same(out, before, identity)
        run = _Run(out, data, identity, progress)
        work = replace(job, tell=run.tell) if in_process else job
        run.go(engine, work)
        return run.finish()


class _Run:
    """The shards that are done, and those to do."""

    def __init__(self, out: Path, data: Data, identity: Mapping[str, Any], progress: Progress) -> None:
        self._out, self._data, self._identity, self._progress = out, data, identity, progress
        self._records = _records(out)
        if not data.is_stream:
            self._check_shards({shard.digest: shard for shard in data.shards})
        self._begun = self._written = time.monotonic()
        self._before = self._told = sum(record.samples for record in self._records.values())
        self._tells = False
        self._now: set[str] = set()
        self._write(complete=False)

    def tell(self, count: int) -> None:
        """So many samples more are done."""
        self._tells = True
        self._told += count
        self._advance()

    def go(self, engine: Engine, job: Job) -> None:
        """Works on what is not done."""
        self._advance()
        try:
            for _, record in engine.map(job, self._to_do()):
                self._records[record.digest] = record
                self._now.add(record.digest)
                if not self._tells:
                    self._told += record.samples
                self._advance()
                if time.monotonic() - self._written > TELL_AFTER:
                    self._write(complete=False)
        finally:
            self._write(complete=False)

    def finish(self) -> Predictions:
        """The manifest, complete."""
        predictions = self._write(complete=True)
        if not predictions.samples and predictions.records:
            reasons = [*predictions.unreadable.values(), *(reason for _, reason in predictions.odd)]
            raise RefusedError(
                f"no sample could be predicted: {reasons[0] if reasons else 'there are none'}", file=self._data.text
            )
        return predictions

    def _to_do(self) -> Iterator[Shard]:
        seen: set[str] = set()
        for shard in self._data.shards:
            seen.add(shard.digest)
            record = self._records.get(shard.digest)
            if record is None or not record.file or record.count != shard.count:
                yield shard
        self._refuse_others(seen)

    def _check_shards(self, known: Mapping[str, Shard]) -> None:
        """What is done is of these shards, and they are as they were. Those of which only a part was wanted are done again."""
        self._refuse_others(known.keys())
        for digest, record in list(self._records.items()):
            shard = known[digest]
            if record.count != shard.count:
                del self._records[digest]
                continue
            state = Record.of(shard).state
            if state != record.state:
                raise RefusedError(
                    f"{shard.name} was changed since it was predicted; take another folder, or remove {record.file}",
                    file=self._out,
                )

    def _refuse_others(self, known: Iterable[str]) -> None:
        left = self._records.keys() - set(known)
        others = [record.shard for digest, record in self._records.items() if digest in left]
        if others:
            raise RefusedError(
                f"it holds predictions of other data, such as {others[0]}, which {self._data.text} does not have; "
                "take another folder",
                file=self._out,
            )

    def _advance(self) -> None:
        count = self._data.count
        if count is None:
            known = sum(shard.count or 0 for shard in self._data.shards) if isinstance(self._data.shards, tuple) else 0
            count = max(known, self._told)
        self._progress("predicting", min(self._told, count), count)

    def _write(self, *, complete: bool) -> Predictions:
        records = sorted(self._records.values(), key=lambda record: (record.shard, record.start))
        now = sum(record.samples for record in records) - self._before
        predictions = Predictions(self._out, records, time.monotonic() - self._begun, now)
        manifest = {
            **self._identity,
            "complete": complete,
            "samples": predictions.samples,
            "odd": _grouped(predictions.odd),
            "unreadable": [{"shard": name, "reason": reason} for name, reason in predictions.unreadable.items()],
            "classes": list(self._data.classes),
            "files": {record.file: record.samples for record in records if record.file},
        }
        write_whole(self._out / MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())
        self._written = time.monotonic()
        return predictions


def file_of(shard: Shard) -> str:
    """The name of a shard's file."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", shard.name)[-80:].lstrip(".")
    return f"{name}-{shard.start:09d}-{shard.digest[:8]}.parquet"


def first_sample(shard: Shard, keys: Sequence[str]) -> int:
    """What random neurons draw by: of a shard and a place in it, whatever else is predicted beside it."""
    row = int(keys[0].rpartition("#")[2]) if keys[0].rpartition("#")[2].isdecimal() else shard.names.index(keys[0])
    place = hashlib.sha256(shard.name.encode("utf-8", "surrogateescape")).digest()
    return (int.from_bytes(place[:2], "little") << 24) + row


def _grouped(odd: Odd) -> list[dict[str, Any]]:
    """Samples that follow each other in a file, with the same reason, as one entry."""
    entries: list[dict[str, Any]] = []
    for key, reason in odd:
        name, _, row = key.rpartition("#")
        before = f"{name}#{int(row) - 1}" if name and row.isdecimal() else ""
        if entries and (entries[-1]["reason"], entries[-1]["last"]) == (reason, before):
            entries[-1]["last"] = key
            entries[-1]["samples"] += 1
        else:
            entries.append({"first": key, "last": key, "samples": 1, "reason": reason})
    return entries


def _fitted(job: Job, data: Data, look: Callable[[Samples], None]) -> tuple[Job, Data]:
    """The job with shapes of inputs and outputs, from the first samples; and the same data, from its beginning.

    Raises:
        RefusedError: there is none in the first shards.
    """
    worker = job()
    reason = "there are none"
    shards = iter(data.shards)
    seen: list[Shard] = []
    for shard in itertools.islice(shards, LOOK_AT):
        seen.append(shard)
        try:
            for samples, _, odd in worker.blocks(shard):
                if samples is not None:
                    look(samples)
                    found = worker.run(samples.first(1), 0)
                    outputs = tuple(
                        Output(name, array.dtype.name, array.shape[1:])
                        for name, array in found.items()
                        if name != SAMPLE_SPIKES
                    )
                    job = replace(job, inputs=tuple(pinned(job.inputs, samples)), outputs=outputs)
                    return job, replace(data, shards=itertools.chain(seen, shards)) if data.is_stream else data
                reason = f"{odd[0][0]}: {odd[0][1]}" if odd else reason
        except UnreadableError as error:
            reason = f"{shard.name}: {error}"
    raise RefusedError(f"no sample was found that the model takes; {reason}", file=data.text)


def _as_before(job: Job, before: Mapping[str, Any]) -> Job:
    """The job with the shapes that an earlier run found."""
    try:
        inputs = tuple(replace(spec, shape=[None, *before["inputs"][spec.name]]) for spec in job.inputs)
        outputs = tuple(Output(o["name"], o["dtype"], tuple(o["shape"])) for o in before["outputs"])
    except (KeyError, TypeError):  # another model's, which is said next
        return job
    return replace(job, inputs=inputs, outputs=outputs)


def _identity(job: Job, spiking: SpikingModel) -> dict[str, Any]:
    """What has to be the same for a run to go on with an earlier one's files."""
    return {
        "format": FORMAT,
        "version": snn_ops.__version__,
        "model": spiking.path.name,
        "model_sha256": hashlib.sha256(spiking.path.read_bytes()).hexdigest(),
        "n_steps": job.n_steps,
        "backend": job.session.get("backend", "native"),
        "spikes": SAMPLE_SPIKES.encode() in job.proto,
        "preprocess": job.preprocess.stored() if job.preprocess else None,
        "inputs": {spec.name: list(spec.shape[1:]) for spec in job.inputs},
        "outputs": [asdict(output) | {"shape": list(output.shape)} for output in job.outputs],
    }


_IN_WORDS = {
    "format": "are of another format",
    "model_sha256": "are of another model, {model}",
    "n_steps": "are of {n_steps} time steps; --steps {n_steps} goes on with them",
    "backend": "are of the backend {backend}; --backend {backend} goes on with them",
    "preprocess": "are of samples that were preprocessed in another way",
    "spikes": "have other columns: one run counted spikes and the other did not",
    "inputs": "are of samples of another shape",
}


def _check_same(out: Path, before: Mapping[str, Any] | None, identity: Mapping[str, Any]) -> None:
    """What the folder holds is of the same model and the same options.

    Raises:
        RefusedError: it is not.
    """
    for name, words in _IN_WORDS.items() if before is not None else ():
        assert before is not None
        if before.get(name) != identity[name]:
            shown = {key: str(value)[:100] for key, value in before.items()}
            with suppress(KeyError):
                words = words.format_map(shown)
            raise RefusedError(f"the predictions in it {words}; or take another folder", file=out)


def _manifest(out: Path) -> dict[str, Any] | None:
    """What an earlier run wrote; None where there was none.

    Raises:
        RefusedError: the folder holds something else.
    """
    try:
        found = json.loads((out / MANIFEST).read_bytes())
        if not isinstance(found, dict):
            raise ValueError
    except FileNotFoundError:
        others = [path.name for path in out.iterdir() if path.name != LOCK and not path.name.endswith(".unfinished")]
        if others:
            raise RefusedError(
                f"the folder is not empty and holds no predictions (it has {min(others)}); name another one", file=out
            ) from None
        return None
    except (ValueError, OSError, RecursionError):
        raise RefusedError("this manifest cannot be read; name another folder", file=out / MANIFEST) from None
    return found


def _records(out: Path) -> dict[str, Record]:
    """Of the shards that are done, by digest.

    Raises:
        RefusedError: a file is damaged.
    """
    records = {}
    for path in sorted(out.glob("*.parquet")):
        try:
            footer = pq.read_metadata(path).metadata or {}
            values = json.loads(footer[_FOOTER])
            values["odd"] = [(str(key), str(reason)) for key, reason in values["odd"]]
            record = Record(**values)
        except Exception:
            raise RefusedError("this is no file of predictions, or it is damaged; remove it", file=path) from None
        records[record.digest] = record
    return records


@contextmanager
def _held(out: Path, data: Data) -> Iterator[None]:
    """The folder, for this run alone.

    Raises:
        RefusedError: it cannot be made or written to, lies within the data, or another run holds it.
    """
    if out.exists() and not out.is_dir():
        raise RefusedError("this is a file; name a folder", file=out)
    source = Path(data.text)
    if source.is_dir() and out.absolute().is_relative_to(source.absolute()):
        raise RefusedError("the folder lies inside the data; name another one", file=out)
    if not out.parent.is_dir():
        raise RefusedError(f"the folder {out.parent} does not exist; create it first", file=out)
    try:
        out.mkdir(exist_ok=True)
        handle = os.open(out / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise RefusedError(f"it cannot be written to: {error.strerror}", file=out) from error
    try:
        if fcntl:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RefusedError("another run is writing into this folder", file=out) from None
            except OSError:  # a file system without locks
                pass
        yield
    finally:
        os.close(handle)
