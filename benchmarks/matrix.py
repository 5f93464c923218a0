"""The cells of the tables: which workload runs with which equation, steps, batch and threads; the most important ones first."""

from __future__ import annotations

from collections.abc import Iterator
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
        Cell("operator-if", "if", 32, 1, 2, provider),
        Cell("stream", "if", 1, 1, 2, provider),
    ]


def _cells(provider: str) -> Iterator[Cell]:
    def cell(workload: str, equation: Equation, n_steps: int, batch: int, threads: int = 2) -> Cell:
        return Cell(workload, equation.value, n_steps, batch, threads, provider)

    counting = (Equation.IF, Equation.NENGO_IF)
    for name, equation in product(PAPERS, counting):
        yield cell(name, equation, 30, 100)
    for equation in counting:
        yield cell("lenet-5", equation, 32, 1)
    yield cell("stream", Equation.IF, 1, 1)
    yield cell("layer-1k", Equation.NENGO_LIF, 32, 32)
    for name in ("operator-if", "operator-lif"):
        yield cell(name, WORKLOADS[name]().equations[0], 32, 1)
    for batch, n_steps, name in product((32, 1, 256), ALL_STEPS, ("lenet-5", "mlp")):
        yield cell(name, Equation.IF, n_steps, batch)
    for n_steps, name in product(SOME_STEPS[::-1], ("lenet-5", "mlp")):
        for batch in BATCHES:
            yield cell(name, Equation.NENGO_IF, n_steps, batch)
    for batch, n_steps, name in product(
        (1, 32, 256), SOME_STEPS, ("cnn", "resnet-8", "autoencoder", "layer-1k", "layer-4k")
    ):
        yield cell(name, Equation.IF, n_steps, batch)
    for batch, n_steps, name in product((1, 32), SOME_STEPS, ("layer-1k", "layer-4k")):
        yield cell(name, Equation.NENGO_LIF, n_steps, batch)
    for batch, n_steps in product((1, 32, 256), SOME_STEPS):
        yield cell("vgg-11", Equation.IF, n_steps, batch)
    if provider == "cpu":
        for n_steps, batch in product(ALL_STEPS, (1, 32)):
            yield cell("lenet-5", Equation.IF, n_steps, batch, 1)
    else:
        for name, equation in product(ON_A_GPU, (Equation.IF, Equation.NENGO_LIF)):
            yield cell(name, equation, 32, 16)
    for batch, n_steps, name in product((1, 32, 256), SOME_STEPS, ("cnn", "resnet-8", "autoencoder")):
        yield cell(name, Equation.NENGO_IF, n_steps, batch)
    for name in WORKLOADS:
        if name.startswith("operator-"):
            yield cell(name, WORKLOADS[name]().equations[0], 32, 1)
            yield cell(name, WORKLOADS[name]().equations[0], 32, 1, 1)


def chosen(
    provider: str,
    workloads: list[str] | None = None,
    steps: list[int] | None = None,
    batches: list[int] | None = None,
    threads: list[int] | None = None,
) -> list[Cell]:
    """Cells of the matrix, or, where a workload is named together with steps or batches, those that were asked for."""
    if not workloads or not (steps or batches or threads):
        return [cell for cell in matrix(provider) if cell.workload in (workloads or WORKLOADS)]
    found = []
    for name in workloads:
        workload = WORKLOADS[name]()
        base = Cell(name, "", 1, 1, 2, provider)
        for equation, t, b, n in product(workload.equations, steps or [32], batches or [1], threads or [2]):
            found.append(
                replace(base, equation=equation.value, n_steps=1 if workload.stream else t, batch=b, threads=n)
            )
    return list(dict.fromkeys(found))
