"""A small model for streams, its service, and a server in a thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from converter.conversion.main import convert
from converter.serving.http import Application
from converter.serving.local import Listening, LocalServer
from converter.serving.service import Limits, Running, Service
from converter.spiking.model import SpikingModel
from snn_ops import Session
from tests.models import mlp, samples, save

LIMITS = Limits(body=1 << 20, memory=4 << 20, samples=16, seconds=30.0, queue=64, streams=4, idle=30.0)
TOKEN = "a secret of nobody"


@dataclass(frozen=True)
class Served:
    """A server that runs."""

    service: Service
    url: str
    alone: Session

    @property
    def place(self) -> str:
        """Host and port."""
        return self.url.removeprefix("http://")


def write_model(folder: Path, name: str = "m.snn.onnx", **options: object) -> Path:
    model = mlp()
    chosen = {"code": "delta", "n_steps": 3, "streaming": True, **options}
    path = folder / name
    convert(save(model, folder / "m.onnx"), samples(model), **chosen).save(path)
    return path


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> Path:
    return write_model(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def served(model) -> Iterator[Served]:
    service = Service(SpikingModel(model), limits=LIMITS, running=Running(batch=8))
    server = LocalServer(Application(service, token=TOKEN, origins=["https://page.example"]), Listening(port=0))
    thread = threading.Thread(target=server.run)
    thread.start()
    yield Served(service, server.url, Session(model))
    server.stop()
    thread.join()


def rows(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, (count, 8)).astype(np.float32)
