"""Whether two versions of the converter make the same of the same models.

    python -m tools.same_conversions record MODELS_FOLDER OUT_FOLDER [--only NAME] [--twice]
    python -m tools.same_conversions compare FOLDER_A FOLDER_B [--only NAME]

`record` converts every model of a folder, and the two embedded LeNet-5, by several sets of options and with samples from a
seed. For each model and set it writes ``OUT_FOLDER/MODEL/SET/``: the spiking model, the summary, and outputs of the spiking
model; or why the converter refused. Only the public interface is used, so that versions whose insides differ can be compared.

`compare` says for each model and set whether outputs, summary, graph and metadata are equal, to the bit, and what is not. It
exits with 1 where outputs or refusals differ, or where one folder has what the other has not. Both folders must come from one
machine: on another processor ONNX Runtime and NumPy add in another order.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import Message

import converter
import snn_ops
from benchmarks import zoo_data
from benchmarks.machine import describe

N_STEPS = 8
STEPS = (4, 8)
"""Numbers of steps that outputs are recorded for."""
CALIBRATION, TEST = 24, 4
"""Samples; a quarter of the first is held out to choose among neurons, methods and corrections."""
FREE_LENGTH = 64
"""Of an axis whose length the model leaves open."""
LARGE_INPUT = 100_000
"""Numbers in a sample; models from this size on are converted by `LARGE_SETS` only, with `LARGE_CALIBRATION` samples."""
LARGE_CALIBRATION = 12
LARGE_SETS = ("default", "two-phase", "streaming")
SMALL_FILE = 300_000
"""Bytes, up to which ``--twice`` converts a model twice."""

SETS: dict[str, dict[str, Any]] = {
    "default": {},
    "two-phase": {"schedule": "two-phase"},
    "streaming": {"streaming": True},
    "lif": {"neuron": "lif"},
}
EMBEDDED_SETS: dict[str, dict[str, Any]] = {
    **SETS,
    "if": {"neuron": "if", "method": "balance", "correction": "bias"},
    "if-signed": {"neuron": "if-signed", "method": "mse", "correction": "potential", "streaming": True},
    "few-spike": {"neuron": "few-spike", "schedule": "two-phase"},
    "sigma-delta": {"neuron": "sigma-delta", "streaming": True},
    "adaptive-lif": {"neuron": "adaptive-lif", "streaming": True},
    "izhikevich": {"neuron": "izhikevich", "streaming": True},
}
"""For the embedded models, which are small."""
ONE_LAYER = {"neuron": "sigma-delta", "method": "balance", "percentile": 99.0, "max_spikes": 3}
"""For the second layer of the embedded models, in a set of its own."""

SPIKING, SUMMARY, OUTPUTS, REFUSED = "model.snn.onnx", "summary.json", "outputs.npz", "refused.txt"
MACHINE, SECONDS = "machine.txt", "seconds.json"
MOST_LINES = 12
"""Of differences that `compare` prints for a model and set."""

Feed = dict[str, np.ndarray]


@dataclass(frozen=True)
class Case:
    """A trained model, samples to convert it with and to run it on, and the sets of options."""

    path: Path
    calibration: Feed
    test: Feed
    sets: Mapping[str, Mapping[str, Any]]


def main() -> int:
    """Runs a command; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    recording = commands.add_parser("record", help="convert models and write what comes of it")
    recording.add_argument("models", type=Path, help="folder of .onnx files, with a models.json or without")
    recording.add_argument("out", type=Path)
    recording.add_argument("--twice", action="store_true", help="convert small models twice and compare the files")
    recording.set_defaults(run=lambda a: record(a.models, a.out, only=a.only, twice=a.twice))
    comparing = commands.add_parser("compare", help="compare two folders that `record` wrote")
    comparing.add_argument("a", type=Path)
    comparing.add_argument("b", type=Path)
    comparing.set_defaults(run=lambda a: compare(a.a, a.b, only=a.only))
    for command in (recording, comparing):
        command.add_argument("--only", default="", help="models whose name contains this")
    arguments = parser.parse_args()
    return int(arguments.run(arguments))


def record(models: Path, out: Path, *, only: str = "", twice: bool = False) -> bool:
    """Converts models and writes what comes of it; True where a second conversion gives another file."""
    out.mkdir(parents=True, exist_ok=True)
    (out / MACHINE).write_text(describe() + "\n")
    seconds = json.loads((out / SECONDS).read_text()) if (out / SECONDS).is_file() else {}
    changes = False
    for case in cases(models, only):
        name = case.path.stem
        for set_name, options in case.sets.items():
            start = time.perf_counter()
            result = converted(case, options)
            seconds[f"{name}/{set_name}"] = taken = round(time.perf_counter() - start, 2)
            (out / SECONDS).write_text(json.dumps(seconds, indent=1) + "\n")
            write(result, case.test, out / name / set_name)
            line = f"{name:38} {set_name:14} {taken:6.1f} s"
            if twice and case.path.stat().st_size <= SMALL_FILE:
                same = content(result) == content(converted(case, options))
                changes |= not same
                line += ", twice the same" if same else ", ANOTHER FILE THE SECOND TIME"
            print(f"{line}, refused: {result}" if isinstance(result, str) else line, flush=True)
    return changes


def cases(models: Path, only: str) -> Iterator[Case]:
    """The embedded models, then those of the folder."""
    with resources.as_file(resources.files("converter.demo") / "data") as data:
        images, others = embedded_images(data, "calibration")[:CALIBRATION], embedded_images(data, "test")[:TEST]
        for path in models_in(data, only):
            (name,) = inputs_of(path)
            layers = [node.name for node in onnx.load(path).graph.node if node.op_type in ("Relu", "Tanh")]
            sets = {**EMBEDDED_SETS, "one-layer": {"layers": {layers[1]: ONE_LAYER}}}
            calibration, test = ({name: x.astype(np.float32) / 255} for x in (images, others))
            yield Case(path, calibration, test, sets)
    entries = zoo_data.entries(models) if (models / "models.json").is_file() else {}
    for path in models_in(models, only):
        inputs = inputs_of(path)
        rng = np.random.default_rng(0)
        entry = entries.get(path.stem, {})
        if entry.get("dataset") == "mnist":
            pixels = [images, others]
        elif entry.get("dataset") == "cifar10":
            pixels = [made_up_images((count, 3, 32, 32), rng) for count in (CALIBRATION, TEST)]
        else:
            pixels = []
        feeds = [{name: zoo_data.model_input(x, entry) for name in inputs} for x in pixels] or [
            {name: made_up(count, *inputs[name], rng) for name in inputs} for count in (CALIBRATION, TEST)
        ]
        calibration, test = feeds
        if sum(array[0].size for array in test.values()) < LARGE_INPUT:
            yield Case(path, calibration, test, SETS)
        else:
            few = {name: array[:LARGE_CALIBRATION] for name, array in calibration.items()}
            yield Case(path, few, test, {name: SETS[name] for name in LARGE_SETS})


def models_in(folder: Path, only: str) -> list[Path]:
    """The models whose name contains `only`."""
    return [path for path in sorted(folder.glob("*.onnx")) if only in path.stem]


def embedded_images(folder: Path, which: str) -> np.ndarray:
    """MNIST, uint8 [N, 1, 28, 28]."""
    with np.load(folder / f"mnist_{which}.npz") as file:
        images: np.ndarray = file["x"]
    return images


def inputs_of(path: Path) -> dict[str, tuple[np.dtype, list[int]]]:
    """Type and shape of a sample for each input of a model."""
    graph = onnx.load(path, load_external_data=False).graph
    constants = {tensor.name for tensor in graph.initializer}
    inputs = {value.name: value.type.tensor_type for value in graph.input if value.name not in constants}
    return {
        name: (
            onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type),
            [dim.dim_value if dim.dim_value > 0 else FREE_LENGTH for dim in kind.shape.dim[1:]],
        )
        for name, kind in inputs.items()
    }


def made_up(count: int, dtype: np.dtype, shape: Sequence[int], rng: np.random.Generator) -> np.ndarray:
    """Images in [-1, 1] for an input of three channels, normal noise for any other."""
    if len(shape) == 3 and shape[0] == 3:
        return (made_up_images((count, *shape), rng).astype(np.float32) / 127.5 - 1).astype(dtype)
    return rng.normal(size=(count, *shape)).astype(dtype)


def made_up_images(shape: Sequence[int], rng: np.random.Generator) -> np.ndarray:
    """uint8 [N, C, H, W]: coarse squares of some shade, with noise."""
    *outer, height, width = shape
    rows, columns = (np.arange(length) * 6 // length for length in (height, width))
    coarse = rng.uniform(0, 255, (*outer, 6, 6))[..., rows, :][..., columns]
    return np.clip(coarse + rng.normal(0, 20, shape), 0, 255).astype(np.uint8)


def converted(case: Case, options: Mapping[str, Any]) -> converter.Conversion | str:
    """A conversion from the file on, or why there is none."""
    try:
        return converter.convert(
            converter.load_ann(case.path), case.calibration, n_steps=N_STEPS, **{"code": "rate", **options}
        )
    except converter.RefusedError as error:
        return str(error).replace(f"{case.path.parent}/", "")
    except Exception as error:  # a defect is a result as well
        return f"{type(error).__name__}: {error}"


def content(result: converter.Conversion | str) -> bytes:
    """The spiking model's file, or the refusal."""
    return result.encode() if isinstance(result, str) else result.proto().SerializeToString()


def write(result: converter.Conversion | str, test: Feed, folder: Path) -> None:
    """What came of a conversion, in place of what the folder had before."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (SPIKING, SUMMARY, OUTPUTS, REFUSED):
        (folder / name).unlink(missing_ok=True)
    if isinstance(result, str):
        (folder / REFUSED).write_text(result + "\n")
        return
    (folder / SPIKING).write_bytes(content(result))
    summary = result.summary()
    summary["source"] = Path(summary["source"]).name
    (folder / SUMMARY).write_text(json.dumps(summary, indent=1) + "\n")
    try:
        found = outputs(content(result), test)
    except Exception as error:  # as above
        (folder / REFUSED).write_text(f"it does not run: {type(error).__name__}: {error}\n")
    else:
        np.savez(folder / OUTPUTS, **found)  # type: ignore[arg-type]


def outputs(model: bytes, test: Feed) -> Feed:
    """What a spiking model gives for samples: after each number of steps, by its function bodies for the first sample, and in
    two chunks of time if it can be streamed.
    """
    session = snn_ops.Session(model, threads=1)
    names = session.output_names
    found = {
        f"T={steps} {n}": y for steps in STEPS for n, y in zip(names, session.run(test, n_steps=steps), strict=True)
    }
    first = {name: array[:1] for name, array in test.items()}
    functions = snn_ops.Session(model, backend="functions", threads=1)
    found |= {f"functions {n}": y for n, y in zip(names, functions.run(first, n_steps=STEPS[0]), strict=True)}
    if "onnx_snn.states" in metadata_of(onnx.load_from_string(model)):
        stream = session.stream()
        for part in ("begun", "continued"):
            found |= {f"stream {part} {n}": y for n, y in zip(names, stream.run(test, STEPS[0]), strict=True)}
    return found


def compare(a: Path, b: Path, *, only: str = "") -> bool:
    """Prints what is equal and what is not; True where outputs or refusals differ, or where a folder lacks something."""
    machines = {(folder / MACHINE).read_text().strip() for folder in (a, b)}
    if len(machines) > 1:
        print("made with different machines or versions:", *sorted(machines), sep="\n    ")
    found = [{f.relative_to(top) for f in top.glob("*/*") if only in f.parent.name} for top in (a, b)]
    counts: Counter[str] = Counter()
    for place in sorted(found[0] | found[1]):
        if not all(place in places for places in found):
            counts["only in one folder"] += 1
            print(f"{place!s:52} only in {a if place in found[0] else b}")
            continue
        parts = differences(a / place, b / place)
        verdicts = [f"{part} {'DIFFER' if lines else 'equal'}" for part, lines in parts.items()]
        counts.update(verdicts)
        print(f"{place!s:52} {', '.join(verdicts)}")
        lines = [f"{part}: {line}" for part, lines in parts.items() for line in lines]
        for line in lines[:MOST_LINES]:
            print(f"    {line}")
        if len(lines) > MOST_LINES:
            print(f"    ... {len(lines) - MOST_LINES} more")
    print(", ".join(f"{verdict}: {count}" for verdict, count in sorted(counts.items())) or "nothing to compare")
    return not counts or any(counts[bad] for bad in ("outputs DIFFER", "refusal DIFFER", "only in one folder"))


def differences(a: Path, b: Path) -> dict[str, list[str]]:
    """What differs between two conversions, a line each, by what it belongs to."""
    refusals = [(folder / REFUSED).read_text().strip() if (folder / REFUSED).is_file() else "" for folder in (a, b)]
    if any(refusals):
        texts = [text or "converted" for text in refusals]
        return {"refusal": [] if texts[0] == texts[1] else [" -> ".join(texts)]}
    arrays = [dict(np.load(folder / OUTPUTS)) for folder in (a, b)]
    summaries = [json.loads((folder / SUMMARY).read_text()) for folder in (a, b)]
    models = [onnx.load(folder / SPIKING) for folder in (a, b)]
    return {
        "outputs": list(array_differences(*arrays)),
        "summary": list(json_differences(*summaries)),
        "graph": list(model_differences(*models)),
        "metadata": list(metadata_differences(*(metadata_of(model) for model in models))),
    }


def array_differences(a: Feed, b: Feed) -> Iterator[str]:
    """Arrays that are not equal to the bit."""
    for name in [*a, *(name for name in b if name not in a)]:
        if name not in a or name not in b:
            yield f"{name!r} only in the {'first' if name in a else 'second'}"
        elif a[name].dtype != b[name].dtype or a[name].shape != b[name].shape:
            yield f"{name!r} {a[name].dtype}{list(a[name].shape)} -> {b[name].dtype}{list(b[name].shape)}"
        elif a[name].tobytes() != b[name].tobytes():
            difference = np.abs(a[name].astype(np.float64) - b[name].astype(np.float64))
            yield f"{name!r} by at most {difference.max():.3g}, where the largest is {np.abs(a[name]).max():.3g}"


def json_differences(a: Any, b: Any, place: str = "") -> Iterator[str]:
    """Places in two JSON documents that are not equal."""
    if isinstance(a, dict) and isinstance(b, dict):
        for key in [*a, *(key for key in b if key not in a)]:
            if key in a and key in b:
                yield from json_differences(a[key], b[key], f"{place}.{key}" if place else key)
            else:
                yield f"{place}.{key} only in the {'first' if key in a else 'second'}".lstrip(".")
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for index, pair in enumerate(zip(a, b, strict=True)):
            yield from json_differences(*pair, f"{place}[{index}]")
    elif json.dumps(a) != json.dumps(b):  # as text: a NaN equals a NaN
        yield f"{place} {brief(a)} -> {brief(b)}".lstrip()


def model_differences(a: onnx.ModelProto, b: onnx.ModelProto) -> Iterator[str]:
    """Parts of two models that are not equal, all but the metadata."""
    yield from field_differences(a, b, but=("graph", "metadata_props"))
    yield from field_differences(a.graph, b.graph)


def field_differences(a: Message, b: Message, but: Collection[str] = ()) -> Iterator[str]:
    """Fields of two messages that are not equal."""
    for name in (field.name for field in a.DESCRIPTOR.fields if field.name not in but):
        mine, theirs = getattr(a, name), getattr(b, name)
        if not isinstance(mine, str | int):
            yield from part_differences(name, mine, theirs)
        elif mine != theirs:
            yield f"{name} {mine!r} -> {theirs!r}"


def part_differences(what: str, a: Sequence[Any], b: Sequence[Any]) -> Iterator[str]:
    """Nodes, initialisers, ... of which only one model has exactly the like, or which come in another order."""
    texts = [[part.SerializeToString(deterministic=True) for part in parts] for parts in (a, b)]
    if texts[0] == texts[1]:
        return
    only = [Counter(mine) - Counter(theirs) for mine, theirs in (texts, texts[::-1])]
    if not any(only):
        yield f"{what}: in another order"
        return
    for which, parts, mine, theirs in (("first", a, texts[0], only[0]), ("second", b, texts[1], only[1])):
        names = [name_of(part) for part, text in zip(parts, mine, strict=True) if text in theirs]
        if names:
            yield f"{what}: {len(names)} only in the {which}: {', '.join(names[:6])}{', ...' if len(names) > 6 else ''}"


def name_of(part: Any) -> str:
    """How to speak of a node, an initialiser, ..."""
    if isinstance(part, onnx.NodeProto):
        return f"{part.op_type} {part.name!r}"
    if isinstance(part, onnx.OperatorSetIdProto):
        return f"{part.domain!r} {part.version}"
    return repr(getattr(part, "name", None) or getattr(part, "tensor_name", None) or getattr(part, "key", ""))


def metadata_of(model: onnx.ModelProto) -> dict[str, str]:
    """The metadata, by key."""
    return {entry.key: entry.value for entry in model.metadata_props}


def metadata_differences(a: Mapping[str, str], b: Mapping[str, str]) -> Iterator[str]:
    """Keys whose values are not equal; in values that are JSON, the places."""
    mine, theirs = ({key: parsed(text) for key, text in texts.items()} for texts in (a, b))
    yield from json_differences(mine, theirs)
    for key in sorted(a.keys() & b.keys()):
        if a[key] != b[key] and json.dumps(mine[key]) == json.dumps(theirs[key]):
            yield f"{key} is written in another way"


def parsed(text: str) -> Any:
    """A JSON document, or the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def brief(value: Any) -> str:
    """A value, or its beginning."""
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


if __name__ == "__main__":
    raise SystemExit(main())
