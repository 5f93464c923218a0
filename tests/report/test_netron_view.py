"""What `view` serves: Netron's page with our operators, the model and its data, and nothing else, to this machine alone."""

from __future__ import annotations

import json
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest

from converter.errors import RefusedError
from converter.report import netron_view
from converter.report.netron_view import Viewer, other_page, page_of
from snn_ops.format import DOMAIN
from snn_ops.ops import OPERATORS
from tests.models import convert_model, mlp, save

NAME = 'a "b" <c> & é.snn.onnx'


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("view")
    _, proto = convert_model(mlp(), folder, neuron="if", method="percentile", correction="none", n_steps=4)
    onnx.save(proto, folder / NAME)
    return folder / NAME


@pytest.fixture(scope="module")
def url(model) -> Iterator[str]:
    viewer = Viewer(page_of(model))
    threading.Thread(target=viewer.serve, daemon=True).start()
    yield viewer.url
    viewer.close()


def get(url: str, **headers: str) -> tuple[int, bytes, dict[str, str]]:
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        return error.code, error.read(), dict(error.headers)


def test_the_page_names_the_model_and_counts_nobody(url, model) -> None:
    status, body, headers = get(url)
    text = body.decode()
    assert status == 200
    (file,) = re.findall(r'<meta name="file" content="([^"<>]*)">', text)
    assert get(url.rstrip("/") + file)[0] == 200
    assert '<meta name="version" content="0.0.0">' in text
    assert 'name="date"' not in text
    assert "consent" in headers["Set-Cookie"]
    assert "connect-src 'self'" in headers["Content-Security-Policy"]


def test_operators_are_described(url) -> None:
    known = json.loads(get(f"{url}onnx-metadata.json")[1])
    ours = {(entry["name"], entry["version"]): entry for entry in known if entry["module"] == DOMAIN}
    assert any(entry["name"] == "Conv" for entry in known)
    for operator in (version for latest in OPERATORS.values() for version in latest.versions):
        entry = ours.pop((operator.name, operator.since_version))
        assert [tensor["name"] for tensor in entry["inputs"]] == [tensor.name for tensor in operator.inputs]
        assert [tensor["name"] for tensor in entry["outputs"]] == [tensor.name for tensor in operator.outputs]
        assert {a["name"]: a["default"] for a in entry["attributes"]} == operator.defaults
        assert operator.summary in entry["description"]
    assert not ours


def test_the_model_comes_without_bodies_and_on_request_with(model) -> None:
    shown = onnx.load_from_string(page_of(model).content)
    assert not shown.functions
    assert shown.graph == onnx.load(model).graph
    assert page_of(model, bodies=True).content == model.read_bytes()


def test_external_data_come_from_the_models_folder(tmp_path) -> None:
    proto = mlp()
    onnx.save(proto, tmp_path / "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    np.savez(tmp_path / "secret.npz", x=np.zeros(3))
    page = page_of(tmp_path / "m.onnx")
    assert set(page.beside) == {"w.bin"}
    viewer = Viewer(page)
    threading.Thread(target=viewer.serve, daemon=True).start()
    assert get(f"{viewer.url}data/w.bin")[1] == (tmp_path / "w.bin").read_bytes()
    assert get(f"{viewer.url}data/secret.npz")[0] == 404
    viewer.close()


@pytest.mark.parametrize(
    "path",
    [
        "server.py",
        "data/",
        "data/x.onnx",
        "data/../server.py",
        "%2e%2e/%2e%2e/etc/passwd",
        "..%2fsecret.json",
        "//etc/passwd",
    ],
)
def test_nothing_else_is_there(url, path) -> None:
    assert get(url + path)[0] == 404


def test_other_machines_names_are_not_answered(url) -> None:
    """A page of a stranger that resolves its own name to this machine sends that name."""
    assert get(url, Host="evil.example")[0] == 404
    assert get(url, Host=url.removeprefix("http://").rstrip("/").replace("127.0.0.1", "localhost"))[0] == 200


def test_what_cannot_be_served_is_refused(model, monkeypatch, tmp_path) -> None:
    viewer = Viewer(page_of(model))
    with pytest.raises(RefusedError, match=r"port \d+ cannot be used \(.*\); choose another --port, 0 is a free one"):
        Viewer(page_of(model), int(viewer.url.rpartition(":")[2].rstrip("/")))
    viewer.close_port()
    with pytest.raises(RefusedError, match="there is no such file"):
        other_page(tmp_path / "m.keras")
    (tmp_path / "saved_model.pb").write_bytes(b"a graph")
    assert other_page(tmp_path).content == b"a graph"
    monkeypatch.setattr(netron_view.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RefusedError, match=r"Netron is not installed; pip install 'onnx-snn\[view\]'"):
        Viewer(page_of(Path(save(mlp(), tmp_path / "m.onnx"))))
