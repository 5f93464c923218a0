"""onnx-snn serve"""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any

import typer

from converter.commands.arguments import (
    Backend,
    Libraries,
    Preprocess,
    Provider,
    ProviderOptions,
    SpikingFile,
    Steps,
    Threads,
    parse_provider_options,
)
from converter.commands.loading import preprocessing
from converter.errors import RefusedError
from converter.io.optional import import_optional
from converter.options import check_steps
from converter.report.console import messages
from converter.spiking.model import SpikingModel

ENGINES = ("local", "ray")
TOKEN = "ONNX_SNN_TOKEN"
"""The variable of the environment that holds the token."""
_MIB = 1 << 20


def serve_command(
    model: SpikingFile,
    host: Annotated[str, typer.Option(help="address to listen at; 0.0.0.0 is all of the machine's")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one")] = 8000,
    preprocess: Preprocess = None,
    name: Annotated[str | None, typer.Option(help="of the model, for clients [default: the file's]")] = None,
    steps: Steps = None,
    backend: Backend = "native",
    provider: Provider = "cpu",
    provider_option: ProviderOptions = None,
    threads: Threads = None,
    library: Libraries = None,
    token: Annotated[
        str | None,
        typer.Option(envvar=TOKEN, help="clients must send it as Authorization: Bearer TOKEN", show_envvar=True),
    ] = None,
    allow_origin: Annotated[
        list[str] | None, typer.Option(help="a web page's origin, https://..., that may use the service; repeatable")
    ] = None,
    batch: Annotated[
        int | None, typer.Option(min=1, help="samples of several requests to run together [default: measured at start]")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="threads that run batches")] = 1,
    count_spikes: Annotated[
        bool, typer.Option("--count-spikes/--no-count-spikes", help="for the metrics; takes the weights' memory again")
    ] = True,
    max_body: Annotated[int, typer.Option(min=1, max=2047, help="MiB of a request")] = 16,
    max_samples: Annotated[int, typer.Option(min=1, help="samples of a request")] = 256,
    max_steps: Annotated[
        int | None,
        typer.Option(min=1, help="time steps of a request [default: 8 times the model's own, and 256 at least]"),
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.001, help="seconds to read and answer a request")] = 30.0,
    queue: Annotated[int, typer.Option(min=1, help="requests that may wait; more get status 429")] = 256,
    streams: Annotated[int, typer.Option(min=0, help="streams that may be open; more get status 503")] = 256,
    idle: Annotated[float, typer.Option(min=0.001, help="seconds without a message after which a stream ends")] = 300.0,
    grace: Annotated[float, typer.Option(min=0, help="seconds for requests in flight when told to end")] = 30.0,
    engine: Annotated[str, typer.Option(help="local: this process; ray: replicas of Ray Serve")] = "local",
    replicas: Annotated[str, typer.Option(metavar="N or MIN-MAX", help="with --engine ray")] = "1",
    ray_address: Annotated[
        str | None, typer.Option(help="a running Ray cluster, such as auto [default: start one here]")
    ] = None,
) -> None:
    """Serve a spiking model over HTTP: the Open Inference Protocol, streams over WebSocket, metrics for Prometheus."""
    if engine not in ENGINES:
        raise typer.BadParameter(f"must be {' or '.join(ENGINES)}", param_hint="--engine")
    if engine == "local" and (replicas != "1" or ray_address):
        raise typer.BadParameter("replicas are those of --engine ray", param_hint="--replicas, --ray-address")
    if token == "":
        raise typer.BadParameter(f"it is empty; unset {TOKEN} to serve without one", param_hint="--token")
    if steps is not None:
        check_steps(steps)
        if max_steps is not None and steps > max_steps:
            raise RefusedError(f"--steps {steps} are more than --max-steps {max_steps}")
    options: dict[str, Any] = {
        "backend": backend,
        "provider": provider,
        "provider_options": parse_provider_options(provider_option),
        "threads": threads,
    }
    service = import_optional("converter.serving.service", "serve")
    limits = service.Limits(
        body=max_body * _MIB,
        samples=max_samples,
        steps=max_steps or 0,
        seconds=timeout,
        queue=queue,
        streams=streams,
        idle=idle,
    )
    origins = tuple(allow_origin or ())
    if token is None and not _is_local(host):
        _say(f"note: whoever reaches {host}:{port} may use the service; --token or {TOKEN} asks for a token")
    spiking = SpikingModel(model, libraries=library or ())
    running = service.Running(steps, batch, workers, count_spikes, preprocessing(preprocess, spiking), options)
    if engine == "ray":
        on_ray = import_optional("converter.serving.on_ray", "serve-ray")
        wanted = on_ray.Deployment(name, limits, running, token, origins, parse_replicas(replicas))
        on_ray.serve(spiking, wanted, host=host, port=port, address=ray_address, ready=_say)
        return
    http = import_optional("converter.serving.http", "serve")
    local = import_optional("converter.serving.local", "serve")
    made = service.Service(spiking, name=name, limits=limits, running=running)
    _say(f"{made.name}: {made.capacity}")
    server = local.LocalServer(
        http.Application(made, token=token, origins=origins), local.Listening(host, port, grace=grace)
    )
    _say(f"serving {server.url}/v2/models/{made.name}, until Ctrl-C")
    server.run()


def _say(line: str) -> None:
    messages().print(line, soft_wrap=True)


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def parse_replicas(text: str) -> tuple[int, int]:
    """ "4" -> (4, 4), "1-8" -> (1, 8).

    Raises:
        typer.BadParameter: something else, or fewer than one.
    """
    low, _, high = text.partition("-")
    if not (low.isdigit() and (high or low).isdigit()) or text.endswith("-"):
        raise typer.BadParameter(f"{text!r} is no number and no range like 1-8", param_hint="--replicas")
    numbers = int(low), int(high or low)
    if not 1 <= numbers[0] <= numbers[1]:
        raise typer.BadParameter(f"{text!r}: at least 1, and the larger number last", param_hint="--replicas")
    return numbers
