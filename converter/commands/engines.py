"""The engine that a user names."""

from __future__ import annotations

from typing import cast

from converter.engine.local import Engine, LocalEngine
from converter.errors import RefusedError
from converter.io.optional import import_optional

ENGINES = ("local", "ray")


def chosen_engine(name: str, address: str | None, *, threads: int | None = None, provider: str = "cpu") -> Engine:
    """The engine by that name.

    Args:
        name: one of `ENGINES`.
        address: of a Ray cluster.
        threads: that a worker's session has; so many processors it asks for.
        provider: "cuda": a worker asks for a graphics card.

    Raises:
        RefusedError: no such engine, an address for another one, Ray is not installed or does not start.
    """
    if name not in ENGINES:
        raise RefusedError(f"there is no engine {name!r}; choose one of {', '.join(ENGINES)}")
    if name == "local":
        if address is not None:
            raise RefusedError("--ray-address is for --engine ray")
        return LocalEngine()
    engine = import_optional("converter.engine.ray", "scale")
    return cast(Engine, engine.RayEngine(address, cpus=threads or 1, gpus=1 if provider == "cuda" else 0))
