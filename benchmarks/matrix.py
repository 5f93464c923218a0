"""The cells of the tables: which workload runs with which equation, steps, batch and threads; the most important ones first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import product

from benchmarks.workloads.catalogue import WORKLOADS
from benchmarks.workloads.network import Equation

ALL_STEPS = (1, 2, 4, 8, 16, 32, 64, 128)
SOME_STEPS = (4, 32)
BATCHES = (1, 32, 256)
PAPERS = ("cnn", "lenet-5", "mlp", "autoencoder", "lenet-1", "lenet-4")
ON_A_GPU = ("layer-16k",)


@dataclass(frozen=True)
class Cell:
    """What is held equal among all systems of a table."""

    workload: str
    equation: str
    n_steps: int
    batch: int
    threads: int
    provider: str

    @property
    def key(self) -> str:
        """Its name in the file of results."""
        return "/".join(str(value) for value in asdict(self).values())

    def __str__(self) -> str:
        threads = "GPU" if self.provider == "cuda" else f"{self.threads} thread{'s' * (self.threads > 1)}"
        return f"{self.workload}, {self.equation}, T = {self.n_steps}, batch {self.batch}, {threads}"


def matrix(provider: str) -> list[Cell]:
    """All cells, each once."""
    return list(dict.fromkeys(_cells(provider)))


def quick(provider: str) -> list[Cell]:
    """The smallest cells, which show that all works."""
    return [
        Cell("mlp", "if", 4, 1, 2, provider),
        Cell("mlp", "nengo-if", 4, 1, 2, provider),
        Cell("layer-1k", "nengo-lif", 4, 1, 2, provider),
        Cell("operator-if", "if", 2, 1, 2, provider),
        Cell("stream", "if", 1, 1, 2, provider),
    ]


def _cells(provider: str) -> Iterator[Cell]:
    both, rest = (Equation.IF, Equation.NENGO_IF), ("cnn", "resnet-8", "autoencoder")
    layers = ("layer-1k", "layer-4k")
    operators = [name for name in WORKLOADS if name.startswith("operator-")]
    blocks: list[tuple[Iterable[str], Iterable[Equation], Iterable[int], Iterable[int], int]] = [
        (PAPERS, both, (30,), (100,), 2),
        (("lenet-5",), both, (32,), (1,), 2),
        (("stream",), both[:1], (1,), (1,), 2),
        (("layer-1k",), (Equation.NENGO_LIF,), (32,), (32,), 2),
        (operators[:3], (*both, Equation.NENGO_LIF), (32,), (1,), 2),
        (("lenet-5", "mlp"), both[:1], ALL_STEPS, (32,), 2),
        (("lenet-5", "mlp"), both[:1], ALL_STEPS, (1, 256), 2),
        (("lenet-5", "mlp"), both[1:], SOME_STEPS, BATCHES, 2),
        ((*rest, *layers), both[:1], SOME_STEPS, BATCHES, 2),
        (layers, (Equation.NENGO_LIF,), SOME_STEPS, BATCHES, 2),
        (ON_A_GPU if provider == "cuda" else (), (Equation.IF, Equation.NENGO_LIF), (32,), (16,), 2),
        (("lenet-5",) if provider == "cpu" else (), both[:1], ALL_STEPS, (1, 32), 1),
        (("vgg-11",), both[:1], SOME_STEPS, BATCHES, 2),
        (rest, both[1:], SOME_STEPS, BATCHES, 2),
        (("lenet-5", "mlp"), both[1:], ALL_STEPS, BATCHES, 2),
        (operators, Equation, (32,), (1,), 2),
        (operators if provider == "cpu" else (), Equation, (32,), (1,), 1),
    ]
    for names, equations, steps, batches, threads in blocks:
        for name, equation, n_steps, batch in product(names, equations, steps, batches):
            if equation in WORKLOADS[name]().equations:
                yield Cell(name, equation.value, n_steps, batch, threads, provider)


def chosen(
    provider: str,
    workloads: list[str] | None = None,
    steps: list[int] | None = None,
    batches: list[int] | None = None,
    threads: list[int] | None = None,
    equations: list[str] | None = None,
) -> list[Cell]:
    """Cells of the matrix, or, where a workload is named together with steps or batches, those that were asked for."""
    if not workloads or not (steps or batches or threads):
        cells = [cell for cell in matrix(provider) if cell.workload in (workloads or WORKLOADS)]
        return [cell for cell in cells if not equations or cell.equation in equations]
    found: list[Cell] = []
    for name in workloads:
        workload = WORKLOADS[name]()
        base = Cell(name, "", 1, 1, 2, provider)
        own = [equation for equation in workload.equations if not equations or equation.value in equations]
        for equation, t, b, n in product(own, steps or [32], batches or [1], threads or [2]):
            found.append(
                replace(base, equation=equation.value, n_steps=1 if workload.stream else t, batch=b, threads=n)
            )
    return list(dict.fromkeys(found))
