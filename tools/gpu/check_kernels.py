"""Every operator on a GPU without ONNX Runtime's CUDA provider: right, and how fast.

``python -m tools.gpu.check_kernels LIBRARY --json OUT`` on a GPU; LIBRARY is what ``python -m tools.gpu.library`` built. With
``--host``, one that was built for the host: the same checks without a GPU, whose times mean nothing. OUT is written after
each row.

What was measured is compared with the figures that were written down before (tools/expected_figures.py), where the GPU is one
of theirs: reached, missed, and why. A target that is missed fails nothing.

Needs NumPy, onnx and an onnxruntime with the project's library for the CPU (``ONNX_SNN_LIBRARY`` names it), and the driver.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tools.expected_figures import compare, table
from tools.gpu import bandwidth, correctness, special
from tools.gpu.library import Device
from tools.gpu.rows import Results, line

ON_HOST = {"neurons": 4096, "beyond": 1 << 16}
"""Sizes that a host's processor takes in its stride."""


def correct(device: Device, arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A row for each operator and type; "wrong" says whether something is."""
    shapes = correctness.SMALL if arguments.quick else correctness.LARGE
    for row in correctness.rows(device, shapes, exact=arguments.host):
        yield asdict(row) | {"wrong": not row.is_good}


def unusual(device: Device, arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Places beyond 2^31, where the memory is there, and a CUDA graph."""
    if device.available > 5 * arguments.beyond:
        found = special.beyond_32_bits(device, arguments.beyond)
        yield {"check": "beyond 2^31"} | found | {"wrong": bool(found["unlike_numpy"] or found["unwritten"])}
    else:
        yield {"check": "beyond 2^31", "not_run": f"{device.available >> 20} MiB free"}
    found = special.in_a_graph(device)
    yield {"check": "CUDA graph"} | found | {"wrong": bool(found["unlike_launch"])}


def fast(device: Device, arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A row for each case and type."""
    yield from bandwidth.rows(device, arguments.neurons)


PARTS = {"correct": correct, "unusual": unusual, "fast": fast}


def main() -> None:
    """The command of the module's docstring.

    Raises:
        SystemExit: 1, with what is wrong.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library", type=Path)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--host", action="store_true", help="the library was built for the host")
    parser.add_argument("--quick", action="store_true", help="few values")
    parser.add_argument("--neurons", type=int, help="of an operator whose speed is measured (default: 8 million)")
    parser.add_argument("--beyond", type=int, help=f"currents of the largest call (default: {special.BEYOND:,})")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    arguments = parser.parse_args()
    defaults = ON_HOST if arguments.host else {"neurons": 8_000_000, "beyond": special.BEYOND}
    for name, value in defaults.items():
        setattr(arguments, name, getattr(arguments, name) or value)
    device = Device(arguments.library)
    print(device.description)
    results = Results(arguments.json, {"device": device.description, "host_compiled": arguments.host})
    for part in arguments.parts:
        for row in PARTS[part](device, arguments):
            results.add(part, row)
            print(line(row), flush=True)
    verdicts = compare(results.rows("fast"), device.description)
    if verdicts:
        results.put("expected", [asdict(verdict) for verdict in verdicts])
        print(table(verdicts))
    wrong = [row for part in arguments.parts for row in results.rows(part) if row.get("wrong")]
    values = sum(row.get("values", 0) for row in results.rows("correct"))
    print(f"{values:,} values compared; {len(wrong)} rows are wrong")
    if wrong:
        sys.exit("wrong: " + "; ".join(line(row) for row in wrong))


if __name__ == "__main__":
    main()
