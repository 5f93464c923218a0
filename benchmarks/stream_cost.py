"""What it costs a whole model that its streams stay true: the embedded LeNet-5 with and without `long_streams`.

    python -m benchmarks.stream_cost

Time of `Stream.run` a chunk, one thread, the two files in turn, least of the calls; after 128 steps, so that sums have moved.
"""

from __future__ import annotations

import time
from importlib import resources

import numpy as np

import snn_ops
from benchmarks.machine import describe
from converter import convert, load_ann
from converter.demo import demo_samples

SECONDS = 3.0
"""For each row."""
SIZES = ((1, 1), (1, 32), (32, 1), (32, 32))
"""Steps a chunk, samples."""


def main() -> None:
    """Prints a row for each activation and size."""
    print(f"{describe()}; kernels: {snn_ops.cpu_isa()}; one thread")
    print("| model | steps a chunk | samples | one number a sum, ms | two, ms | ratio |")
    print("|---|---|---|---|---|---|")
    for model in ("lenet5_relu", "lenet5_tanh"):
        with resources.as_file(resources.files("converter.demo") / "data" / f"{model}.onnx") as source:
            ann = load_ann(source)
        samples = demo_samples("calibration", ann.input_specs)
        options = {"method": "percentile", "correction": "none", "streaming": True}
        files = [convert(ann, samples, long_streams=long, **options).proto() for long in (False, True)]
        (images,) = demo_samples("test", ann.input_specs).first(32).feed.values()
        for steps, batch in SIZES:
            streams = [snn_ops.Session(file, threads=1).stream() for file in files]
            times: list[list[float]] = [[], []]
            for stream in streams:
                for _ in range(128 // steps):
                    stream.run(images[:batch], n_steps=steps)
            end = time.perf_counter() + SECONDS
            while time.perf_counter() < end:
                for stream, record in zip(streams, times, strict=True):
                    start = time.perf_counter()
                    stream.run(images[:batch], n_steps=steps)
                    record.append(time.perf_counter() - start)
            one, two = (1e3 * float(np.min(record)) for record in times)
            print(f"| {model} | {steps} | {batch} | {one:.3f} | {two:.3f} | {two / one:.2f} |", flush=True)


if __name__ == "__main__":
    main()
