"""The same application in replicas of Ray Serve: on one machine or a cluster, as many as the load needs."""

from __future__ import annotations

import os
import signal
import threading
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

import onnx
import ray
from ray import serve as ray_serve

from converter.engine.ray import connect
from converter.errors import RefusedError
from converter.serving.http import Application
from converter.serving.service import Limits, Running, Service, clean_name
from converter.spiking.model import SpikingModel

_ONGOING_OF_A_REPLICA = 16
"""Requests and streams in flight for which one replica is about right: autoscaling aims there."""
_END_SECONDS = 30.0
_START_SECONDS = 300.0
_ALL = ("0.0.0.0", "::")
"""Addresses that are all of a machine's."""
_SETTINGS = {
    "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60",  # a machine that is busy starts slowly
    "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": "60",
}
"""Variables of the environment, where they are not set."""
_MOST_BYTES = 2**31 - 1


@dataclass(frozen=True)
class Deployment:
    """What every replica serves.

    Attributes:
        name: of the model for clients; None: its file's.
        limits, running: of each replica. It takes as many processors as it has threads of ONNX Runtime, by default one.
        token, origins: as for `Application`.
        replicas: fewest and most; where they differ, Ray adds and ends replicas as the load needs.
    """

    name: str | None = None
    limits: Limits = field(default_factory=Limits)
    running: Running = field(default_factory=Running)
    token: str | None = None
    origins: tuple[str, ...] = ()
    replicas: tuple[int, int] = (1, 1)


def start(
    model: SpikingModel, wanted: Deployment, *, host: str = "127.0.0.1", port: int = 8000, address: str | None = None
) -> str:
    """Starts the replicas, and Ray where no cluster is named; gives the address of the model.

    The model is sent to the replicas; libraries of others' operators must lie at the same path on every machine.

    Raises:
        RefusedError: no Ray, no such cluster, a model of 2 GiB, or replicas that do not start.
    """
    if model.proto.ByteSize() > _MOST_BYTES:
        raise RefusedError("a model of more than 2 GiB cannot be sent to Ray's replicas", file=model.path)
    if not ray.is_initialized():
        _connect(address)
    name = clean_name(wanted.name or model.path.name)
    options = dict(wanted.running.options or {})
    options["threads"] = options.get("threads") or 1
    running = replace(wanted.running, options=options)
    build = _builder(ray.put(model.proto.SerializeToString()), model.libraries, name, replace(wanted, running=running))
    fewest, most = wanted.replicas
    scaling: dict[str, Any] = {"num_replicas": fewest}
    if most > fewest:
        target = {"min_replicas": fewest, "max_replicas": most, "target_ongoing_requests": _ONGOING_OF_A_REPLICA}
        scaling = {"autoscaling_config": target}
    deployment: Any = ray_serve.deployment(
        ray_serve.ingress(build)(),
        name=name,
        max_ongoing_requests=wanted.limits.queue + wanted.limits.streams,
        max_queued_requests=wanted.limits.queue,
        graceful_shutdown_timeout_s=_END_SECONDS,
        health_check_period_s=5,
        logging_config={"enable_access_log": False},
        ray_actor_options={
            "num_cpus": options["threads"],
            "num_gpus": 1 if options.get("provider") == "cuda" else 0,
        },
        **scaling,
    )
    try:
        with suppress(TimeoutError):  # of a slow start; whether it answers is asked below
            ray_serve.start(http_options={"host": host, "port": port})
        ray_serve.run(deployment.bind(), name=name, route_prefix="/")
    except (RuntimeError, ConnectionError, OSError, ray.exceptions.RayError) as error:
        raise RefusedError(f"Ray Serve: {_first_line(error)}", file=model.path) from error
    place = f"http://{'127.0.0.1' if host in _ALL else host}:{port}"
    if not _answers(f"{place}/v2/health/ready"):
        raise RefusedError(f"nothing answers at {place}; Ray Serve of this cluster may have been started elsewhere")
    return f"http://{host}:{port}/v2/models/{name}"


def serve(
    model: SpikingModel,
    wanted: Deployment,
    *,
    host: str,
    port: int,
    address: str | None,
    ready: Callable[[str], None] = lambda line: None,
) -> None:
    """Serves until the process is told to end (SIGTERM, SIGINT); requests in flight are answered.

    Args:
        model, wanted, host, port, address: as for `start`.
        ready: gets a line when the replicas answer.

    Raises:
        RefusedError: as `start`.
    """
    told = threading.Event()

    def tell(number: int, frame: FrameType | None) -> None:
        told.set()

    url = start(model, wanted, host=host, port=port, address=address)
    before = [(number, signal.signal(number, tell)) for number in (signal.SIGTERM, signal.SIGINT)]
    try:
        ready(f"serving {url}, until Ctrl-C")
        while not told.wait(1.0):
            pass
    finally:
        for number, handler in before:
            signal.signal(number, handler)
        if address is None:
            ray_serve.shutdown()  # type: ignore[no-untyped-call]
            ray.shutdown()
        else:
            ray_serve.delete(url.rpartition("/")[2])


def _builder(shipped: Any, libraries: tuple[str, ...], name: str, wanted: Deployment) -> Callable[[], Application]:
    """What a replica calls when it starts."""
    held = [shipped]  # within a list, Ray does not put the bytes in its place

    def build() -> Application:
        proto = onnx.load_from_string(ray.get(held[0]))
        model = SpikingModel(Path(f"{name}.snn.onnx"), proto, libraries=libraries)
        service = Service(model, name=name, limits=wanted.limits, running=wanted.running)
        return Application(service, token=wanted.token, origins=wanted.origins)

    return build


def _answers(url: str) -> bool:
    """Whether a replica does, within some minutes."""
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until:
        with suppress(OSError), urllib.request.urlopen(url, timeout=10) as answer:
            return bool(answer.status == 200)
        time.sleep(0.5)
    return False


def _connect(address: str | None) -> None:
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    connect(address)


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
