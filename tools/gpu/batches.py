"""How many samples at once a GPU should be given, and how it should search for a convolution: models that exist, timed.

``python -m tools.gpu.batches --models FOLDER --json OUT`` runs converted models that ``tools.gpu.check_models`` made, with
several values of ``bytes_at_once`` and of ONNX Runtime's ``cudnn_conv_algo_search`` and ``use_tf32``. Times are of a whole
`snn_ops.Session.run`, copies included. OUT is written after each row. ``--provider cpu`` shows that it works without a GPU.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

import snn_ops
from benchmarks.machine import describe
from snn_ops.provider import ProviderOptions
from tools.gpu.check_models import OPTIONS, make, path_of, samples_of
from tools.gpu.rows import Results, Row, attempt, line, show

MODELS = (
    "lenet5.auto",
    "lenet5.delta",
    "cnn.delta",
    "resnet8.delta",
    "resnet8.delta-two-phase",
    "vgg.auto",
    "vgg.delta",
)
MEBIBYTES = (64, 256, 1024, 4096)

OPTIONS_TRIED: tuple[ProviderOptions, ...] = (
    {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": 0},
    {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": 1},
    {"cudnn_conv_algo_search": "EXHAUSTIVE", "use_tf32": 1},
    {"cudnn_conv_algo_search": "DEFAULT", "use_tf32": 1},
)
"""The first with all sizes, the others with the first."""
SAMPLES = 1024
REPEATS = 3


def rows(folder: Path, names: list[str], provider: str, samples: int) -> Iterator[Row]:
    """Milliseconds a sample for each model, size and way to search."""
    for name in names:
        with np.load(samples_of(folder, name)) as file:
            some = file["x"].astype(np.float32)
        x = some[np.arange(samples) % len(some)]
        for options in OPTIONS_TRIED if provider == "cuda" else ({},):
            for size in MEBIBYTES if options in ({}, OPTIONS_TRIED[0]) else MEBIBYTES[:1]:
                row = {"model": name, **options, "MiB": size}
                yield attempt(row, partial(timed, path_of(folder, name), x, provider, options, size))


def timed(path: Path, x: np.ndarray, provider: str, options: ProviderOptions, mebibytes: int) -> Row:
    """Of the run after the first one, which is given by itself."""
    session = snn_ops.Session(path, provider=provider, provider_options=options, bytes_at_once=mebibytes << 20)
    times = []
    for _ in range(REPEATS + 1):
        start = time.perf_counter()
        session.run(x)
        times.append(time.perf_counter() - start)
    return {
        "samples": len(x),
        "rows_at_once": session.rows,
        "first_seconds": times[0],
        "ms_a_sample": 1e3 * statistics.median(times[1:]) / len(x),
    }


def main() -> None:
    """The command of the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, required=True, help="folder of converted models")
    parser.add_argument("--json", type=Path, required=True, help="gets the rows")
    parser.add_argument("--only", nargs="+", choices=OPTIONS, default=list(MODELS))
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--provider", choices=["cuda", "cpu"], default="cuda")
    arguments = parser.parse_args()
    make(arguments.models, arguments.only)
    results = Results(arguments.json, {"machine": describe(), "provider": arguments.provider})
    for row in rows(arguments.models, arguments.only, arguments.provider, arguments.samples):
        results.add("batches", row)
        print(line(row), flush=True)
    show(results.rows("batches"))


if __name__ == "__main__":
    main()
