"""On a Ray cluster, or one that is started here: Ray Data maps the items over actors."""

from __future__ import annotations

import logging
import os
import pickle
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import ray
import ray.data
import ray.exceptions

from converter.errors import RefusedError
from converter.terminal import without_standard_error

Item = TypeVar("Item")
Result = TypeVar("Result")
PACKAGES = ("converter", "snn_ops")
"""What workers import: it is sent to them."""
_LEFT_OUT = ["**/__pycache__", "**/*.pyc", "converter/demo/data/**"]
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_worker_niceness": "0",  # as this process; Ray's own choice is 15
}
"""Variables of the environment, where they are not set: Ray tells nobody of its use."""
CONNECT_SECONDS = 10.0
"""That a cluster may take to answer."""
STORE_BYTES = 256 << 20
"""Ray's shared memory where it is started here: items and results are small, samples are read where they are used."""


class RayEngine:
    """Ray Data with as many actors as the cluster has room for; each holds one session.

    Args:
        address: of a running cluster, as of ``ray.init``; default: one is started here, and ends with this process.
        cpus: processors that an actor asks for.
        gpus: graphics cards that it asks for.
    """

    def __init__(self, address: str | None = None, *, cpus: float = 1, gpus: float = 0) -> None:
        self._cpus, self._gpus = cpus, gpus
        if not ray.is_initialized():
            connect(address)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        for name in ("ray", "ray.data"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # what goes wrong is raised

    @property
    def workers(self) -> int:
        """Actors that the cluster has room for."""
        have = ray.cluster_resources()  # type: ignore[no-untyped-call]
        room = have.get("CPU", 0) / self._cpus
        if self._gpus:
            room = min(room, have.get("GPU", 0) / self._gpus)
        if room < 1:
            asked = f"{self._cpus:g} CPUs" + (f" and {self._gpus:g} GPUs" if self._gpus else "")
            raise RefusedError(
                f"the Ray cluster has no worker with {asked}; ask for less with --threads or --provider cpu"
            )
        return int(room)

    def map(self, start: Callable[[], Callable[[Item], Result]], items: Iterable[Item]) -> Iterator[tuple[int, Result]]:
        """As `converter.engine.local.Engine.map`; the results come as they are ready.

        Raises:
            RefusedError: what a worker refused; or the cluster has no room for one worker.
        """
        numbered = list(enumerate(items))
        if not numbered:
            return
        rows = [{"index": index, "item": pickle.dumps(item)} for index, item in numbered]
        most = min(self.workers, len(rows))
        shipped = ray.put(start)  # an actor that starts again takes it from there
        data = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
            _Worker,
            fn_constructor_args=([shipped],),
            batch_size=1,
            batch_format="numpy",
            compute=ray.data.ActorPoolStrategy(size=most),
            num_cpus=self._cpus,
            num_gpus=self._gpus or None,
        )
        try:
            for row in data.iter_rows():
                done, result = pickle.loads(row["result"])  # our own worker wrote it
                if not done:
                    raise result
                yield int(row["index"]), result
        except ray.exceptions.RayError as error:
            first = next(iter(str(error).splitlines()), type(error).__name__)
            raise RefusedError(f"Ray: {first}") from error


class _Worker:
    """An actor. What is raised in it is a result: Ray would hand on its text only."""

    def __init__(self, shipped: list[Any]) -> None:
        self._start = ray.get(shipped[0])
        self._work: Callable[[Any], Any] | None = None

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        import numpy as np  # noqa: PLC0415 # where the actor runs

        results = np.empty(len(batch["item"]), object)
        for place, item in enumerate(batch["item"]):
            results[place] = self._outcome(item)
        return {"index": batch["index"], "result": results}

    def _outcome(self, item: bytes) -> bytes:
        try:
            if self._work is None:
                self._work = self._start()
            return pickle.dumps((True, self._work(pickle.loads(item))))
        except Exception as error:
            if isinstance(error, RefusedError | OSError | MemoryError):
                return pickle.dumps((False, error))
            return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))


def connect(address: str | None) -> None:
    """Starts Ray here, or joins a cluster, which gets our packages.

    Args:
        address: of a running cluster, as of ``ray.init``; None: one is started here, and ends with this process.

    Raises:
        RefusedError: Ray does not start, or there is no cluster at the address.
    """
    logging.getLogger("ray").setLevel(logging.ERROR)
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    folder = Path(sys.modules[__name__.partition(".")[0]].__path__[0]).parent
    if address is None:
        options |= {"address": "local", "include_dashboard": False, "object_store_memory": STORE_BYTES}
        options["runtime_env"] = {
            "env_vars": {"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}
        }
    else:
        _check_answers(address)
        modules = [str(folder / name) for name in PACKAGES]
        options |= {"address": address, "runtime_env": {"py_modules": modules, "excludes": _LEFT_OUT}}
    try:
        with without_standard_error():  # where Ray's C++ part says that it will say less
            ray.init(**options)
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise RefusedError(
            f"Ray does not start: {first}" if address is None else f"no Ray cluster at {address}: {first}"
        ) from error


def _check_answers(address: str) -> None:
    """Ray itself waits for minutes for a host that does not answer."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdecimal():
        return
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise RefusedError(f"no Ray cluster at {address}: {error}") from error
