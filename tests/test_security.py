"""The threat model in SECURITY.md: a test for each of its lines."""

from __future__ import annotations

import contextlib
import http.client
import importlib.util
import json
import os
import pickle
import re
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from converter import RefusedError, convert, load_ann
from converter.cli import main
from converter.io.onnx_files import read_proto
from converter.io.shards import UnreadableError, find, read
from converter.normalise import frameworks
from converter.report.html import write_html
from converter.report.netron_view import Viewer, page_of
from converter.serving.http import Application
from converter.serving.local import Listening, LocalServer
from converter.serving.service import Limits, Running, Service
from converter.spiking.model import SpikingModel
from snn_ops import Session
from snn_ops.files import read_npz, write_whole
from snn_ops.format import PREFIX
from tests.models import mlp, samples, save, text_model

ROOT = Path(__file__).parents[1]
HOSTILE = "x']; open('owned', 'w') #\n\r\u2028'''\\\"\"\"{open('owned','w')}\x1b[2J</script><script>"
LINES = re.findall(r'<a id="([\w-]+)">', (ROOT / "SECURITY.md").read_text())


def needs(*names: str) -> pytest.MarkDecorator:
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} is not installed")


def test_each_line_has_a_test() -> None:
    here = Path(__file__).read_text()
    assert len(LINES) >= 14
    assert [line for line in LINES if f"def test_{line.replace('-', '_')}(" not in here] == []


def refused(path: Path, words: str, **options: object) -> None:
    with pytest.raises(RefusedError, match=words) as caught:
        load_ann(path, **options)
    assert "\n" not in str(caught.value)


@needs("nengo")
def test_script(tmp_path) -> None:
    """Every name and every text of the metadata is hostile, and the script computes what it did."""
    from converter.nengo.export import make_script, write_script  # noqa: PLC0415

    model = mlp()
    proto = convert(save(model, tmp_path / "m.onnx"), samples(model), neuron="if").proto()
    names = {name for node in proto.graph.node for name in (*node.input, *node.output)} - {"", "n_steps"}
    new = {name: f"{HOSTILE}{name}" for name in names}
    graph = proto.graph
    for held in (*graph.input, *graph.output, *graph.initializer, *graph.value_info):
        held.name = new.get(held.name, held.name)
    for node in graph.node:
        node.input[:] = [new.get(name, name) for name in node.input]
        node.output[:] = [new.get(name, name) for name in node.output]
        node.name = HOSTILE + node.name
    graph.name = HOSTILE
    for entry in proto.metadata_props:
        if entry.key in (f"{PREFIX}source", f"{PREFIX}neuron", f"{PREFIX}version", f"{PREFIX}method"):
            entry.value = HOSTILE
    write_script(make_script(proto), tmp_path / "m.py")
    np.savez(tmp_path / "x.npz", x=samples(model)[:3])
    subprocess.run([sys.executable, "m.py", "x.npz"], cwd=tmp_path, check=True, capture_output=True)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("name", ["m.pt", "m.pth", "m.ts", "m.pt2", "saved"])
def test_programs(name, tmp_path, monkeypatch) -> None:
    """Nothing of the framework runs before the user says so; with the word it does."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    path = tmp_path / name
    if name == "saved":
        path.mkdir()
        (path / "saved_model.pb").write_bytes(b"")
    else:
        path.write_bytes(pickle.dumps(0))
    started = []

    def start(*command: object, **_: object) -> subprocess.CompletedProcess[str]:
        started.append(command)
        return subprocess.CompletedProcess([], 1, "", "it was started")

    monkeypatch.setattr(frameworks, "subprocess", SimpleNamespace(run=start))
    refused(path, "--trust", sample_shape=(2,))
    assert started == []
    refused(path, "it was started", sample_shape=(2,), trust=True)
    assert len(started) == 1


def layer(**entries: object) -> dict[str, object]:
    dense = {"module": "keras.layers", "class_name": "Dense", "config": {"units": 3}, "registered_name": None}
    return {"module": "keras", "class_name": "Sequential", "config": {"layers": [dense, entries]}}


HOSTILE_LAYERS = {
    "lambda": layer(module="keras.layers", class_name="Lambda", config={}),
    "old lambda": layer(class_name="Lambda", config={"function": ["4wEAAAA=", None, None]}),
    "a function as text": layer(class_name="Dense", config={"activation": {"class_name": "__lambda__"}}),
    "another module": layer(module="os", class_name="system", config={}),
    "a module that looks like one of Keras": layer(module="keras_hub.layers", class_name="Dense", config={}),
    "a tool of Keras": layer(module="keras.utils", class_name="get_file", config={}),
    "a function of Python": layer(module="builtins", class_name="function", config="exec"),
    "an operator of TensorFlow": layer(class_name="TFOpLambda", config={"function": "io.write_file"}),
    "a model of PyTorch": layer(class_name="TorchModuleWrapper", config={}),
    "registered": layer(class_name="Package>Lambda", config={}),
}


def write_keras(path: Path, description: object) -> None:
    if path.suffix == ".h5":
        with pytest.importorskip("h5py").File(path, "w") as file:
            file.attrs["model_config"] = json.dumps(description)
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", json.dumps(description))


@pytest.mark.parametrize("description", HOSTILE_LAYERS.values(), ids=HOSTILE_LAYERS)
@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
def test_keras(name, description, tmp_path, monkeypatch) -> None:
    write_keras(tmp_path / name, description)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setattr(frameworks, "subprocess", None)  # it must not be loaded
    refused(tmp_path / name, "--trust")


@pytest.mark.parametrize("link", ["external", "soft", "dataset"])
def test_keras_weights_in_other_files(link, tmp_path, monkeypatch) -> None:
    h5py = pytest.importorskip("h5py")
    write_keras(tmp_path / "m.h5", layer(class_name="Dense", config={}))
    with h5py.File(tmp_path / "m.h5", "a") as file:
        if link == "dataset":
            file.create_dataset("w", (4,), "u1", external=[("/etc/passwd", 0, 4)])
        else:
            file["w"] = h5py.ExternalLink("/etc/passwd", "/") if link == "external" else h5py.SoftLink("/nowhere")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setattr(frameworks, "subprocess", None)  # it must not be loaded
    refused(tmp_path / "m.h5", "--trust")


LAMBDA = """
import os
import tf_keras as keras
model = keras.Sequential([
    keras.layers.Input((4,)), keras.layers.Dense(3, activation="relu"),
    keras.layers.Lambda(lambda x: (open(r"OWNED", "w").close(), x)[1]),
])
os.remove(r"OWNED")
model.save("m.h5")
"""


@pytest.mark.slow
@needs("tensorflow", "tf2onnx", "tf_keras")
def test_keras_lambda_runs_with_the_word_only(tmp_path) -> None:
    owned = tmp_path / "owned"
    code = LAMBDA.replace("OWNED", str(owned))
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    refused(tmp_path / "m.h5", "--trust")
    assert not owned.exists()
    load_ann(tmp_path / "m.h5", trust=True)
    assert owned.exists()


def test_current_folder(tmp_path) -> None:
    """Neither the command nor the processes that it starts import what lies there."""
    model = mlp()
    save(model, tmp_path / "m.onnx")
    np.savez(tmp_path / "x.npz", x=samples(model))
    (tmp_path / "m.keras").write_bytes(b"")
    owned = tmp_path / "owned"
    for name in "numpy onnx onnxruntime onnx_ir onnxscript typer rich tomllib keras tensorflow tf2onnx h5py".split():
        (tmp_path / f"{name}.py").write_text(f"open({str(owned)!r}, 'w').close(); raise SystemExit('a trap')")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    options = ("--calibration", "x.npz", "--steps", "2", "--code", "rate", "--neuron", "if")
    for arguments, code in (
        (("convert", "m.onnx", *options), 0),
        (("bench", "m.snn.onnx", "--batch", "1", "--steps", "2", "--seconds", "0.01"), 0),
        (("convert", "m.keras", *options), 1),
    ):
        command = [sys.executable, "-m", "converter.cli", *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        assert not owned.exists(), arguments


class Trap:
    def __reduce__(self) -> tuple[object, ...]:
        return open, ("owned", "w")


def test_pickle(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("a.npz", x=np.array([Trap()], dtype=object))
    Path("b.npz").write_bytes(pickle.dumps(Trap()))
    np.save("c.npy", np.array([Trap()], dtype=object))
    for name in ("a.npz", "b.npz", "c.npy"):
        with pytest.raises(ValueError, match=r"not an \.npz file with arrays"):
            read_npz(name)
    assert not Path("owned").exists()


def test_data_code(tmp_path, monkeypatch) -> None:
    """Only a function that the caller names is called, and nothing in its folder takes the place of a library."""
    monkeypatch.chdir(tmp_path)
    Path("d").mkdir()
    np.save("d/a.npy", np.array([Trap()], dtype=object))
    Path("d/evil.py").write_text("open('owned', 'w')")
    (shard,) = find("d").shards
    with pytest.raises(UnreadableError):
        list(read(shard, {"x": ["N", 1]}))
    Path("pickletools.py").write_text("open('owned', 'w')")
    Path("own_reader.py").write_text("import pickletools\ndef f():\n yield [[1.0]]\n")
    monkeypatch.delitem(sys.modules, "pickletools", raising=False)
    (shard,) = find("own_reader:f").shards
    assert shard.count == 1
    assert str(tmp_path) not in sys.path
    assert not Path("owned").exists()


def test_archives(tmp_path, monkeypatch) -> None:
    """An array that claims more than it holds, and one that holds more than fits."""
    header = repr({"descr": "<f4", "fortran_order": False, "shape": (10**12,)}).encode().ljust(117) + b"\n"
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00\x76\x00" + header)
    with pytest.raises(ValueError, match="not an"):
        read_npz(tmp_path / "a.npz")
    np.savez_compressed(tmp_path / "b.npz", x=np.zeros(2**20, np.float32))
    assert (tmp_path / "b.npz").stat().st_size < 10_000
    monkeypatch.setattr("snn_ops.files.memory_bytes", lambda: 2**21)
    with pytest.raises(ValueError, match=r"b\.npz holds 0\.00419 GB of arrays, more than this machine's memory"):
        read_npz(tmp_path / "b.npz")


def external(path: Path, **entries: str) -> Path:
    """A model whose first weight lies elsewhere."""
    model = mlp()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)
    path.write_bytes(model.SerializeToString())
    return path


def test_external_data(tmp_path) -> None:
    folder, size = tmp_path / "models", 8 * 16 * 4
    (folder / "inner").mkdir(parents=True)
    (tmp_path / "secret").write_bytes(bytes(size))
    (folder / "good").write_bytes(bytes(size + 4))
    (folder / "inner" / "good").write_bytes(bytes(size))
    for name, target in {"link": "../secret", "out": "..", "zero": "/dev/zero", "loop": "loop"}.items():
        (folder / name).symlink_to(target)
    os.mkfifo(folder / "pipe")
    for location, offset in (("good", "4"), ("inner/good", "0")):
        read_proto(external(folder / "m.onnx", location=location, offset=offset))
    bad = ["/etc/passwd", "../secret", "inner/../../secret", "link", "out/secret", "zero", "/dev/zero", "pipe", "inner"]
    for location in [*bad, "loop", "", "a\\..\\b", "a\0b"]:
        with pytest.raises(RefusedError, match=r"m\.onnx: tensor 'W1' has its data in ") as caught:
            read_proto(external(folder / "m.onnx", location=location))
        assert "\n" not in str(caught.value)
    for key, value in (("offset", "8"), ("offset", "-4"), ("offset", "x"), ("length", "4"), ("length", str(10**12))):
        with pytest.raises(RefusedError, match="damaged"):
            read_proto(external(folder / "m.onnx", location="good", **{key: value}))


def test_libraries(tmp_path, monkeypatch) -> None:
    """What a file says of libraries is not read, nor is what lies here."""
    monkeypatch.chdir(tmp_path)
    for name in ("libonnx_snn.so", "custom.so"):
        (tmp_path / name).write_bytes(b"no library: it cannot be loaded")
    path = tmp_path / "m.snn.onnx"
    convert(save(mlp(), tmp_path / "m.onnx"), samples(mlp()), code="delta", n_steps=2).save(path)
    model = onnx.load(path)
    for key in ("onnx_snn.libraries", "onnx_snn.library", "libraries", "custom_ops_library"):
        model.metadata_props.add(key=key, value=json.dumps([str(tmp_path / "custom.so")]))
    spiking = SpikingModel(save(model, path))
    assert spiking.libraries == ()
    spiking.session().run(samples(mlp(), 2))
    with pytest.raises(RuntimeError, match=r"custom\.so is no library of operators"):  # only the caller's word loads it
        Session(path, libraries=["custom.so"])


def test_source(tmp_path, monkeypatch) -> None:
    model = mlp()
    save(model, tmp_path / "m.onnx")
    (tmp_path / "inner").mkdir()
    proto = convert(tmp_path / "m.onnx", samples(model), code="rate", neuron="if", n_steps=2).proto()
    path = tmp_path / "inner" / "m.snn.onnx"
    save(proto, path)
    monkeypatch.chdir(tmp_path)
    assert SpikingModel(path).source() == Path("m.onnx")
    entry = next(entry for entry in proto.metadata_props if entry.key == f"{PREFIX}source")
    for name in ("../m.onnx", str(tmp_path / "m.onnx"), "inner/../m.onnx", "..", ".", "a\0b"):
        entry.value = name
        save(proto, path)
        assert SpikingModel(path).source() is None


@pytest.mark.parametrize("dims", [[10**12], [2**40, 2**40], [-1, 128], [127], [2**62, 4]])
@pytest.mark.parametrize("place", ["initializer", "Constant", "external"])
def test_claims(dims, place, tmp_path) -> None:
    model = mlp()
    tensor = model.graph.initializer[0]
    del tensor.dims[:]
    tensor.dims.extend(dims)
    if place == "Constant":
        model.graph.node.insert(0, helper.make_node("Constant", [], ["c"], value=tensor))
        model.graph.initializer[0].CopyFrom(mlp().graph.initializer[0])
    if place == "external":
        (tmp_path / "data").write_bytes(tensor.raw_data)
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="data")
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    if place == "external" and dims == [127]:
        read_proto(tmp_path / "m.onnx")  # a part of a file is no untrue claim
        return
    with pytest.raises(RefusedError, match="'W1'"):
        read_proto(tmp_path / "m.onnx")


MAKERS = {
    "ConstantOfShape": "c = ConstantOfShape(S)",
    "Expand": "c = Expand(O, S)",
    "Tile": "c = Tile(O, S)",
    "Range": "c = Range(Z, E, D)",
    "a computed shape": "t = Concat<axis = 0>(S, D1) r = Slice(t, Z1, D1) c = ConstantOfShape(r)",
    "Pad": "p = Concat<axis = 0>(Z1, S) c = Pad(O, p)",
}


@pytest.mark.parametrize("text", MAKERS.values(), ids=MAKERS)
def test_computed_sizes(text, tmp_path) -> None:
    model = text_model(
        "m (float[N,8] x) => (float[N,8] y) <int64[1] S, int64[] Z, int64[] E, int64[] D, int64[1] Z1, int64[1] D1, float[1] O>"
        f" {{ {text} k = Cast<to = 1>(c) l = ReduceMax(k) g = Add(x, l) y = Relu(g) }}",
        S=np.asarray([10**12]),
        Z=np.asarray(0),
        E=np.asarray(10**12),
        D=np.asarray(1),
        Z1=np.asarray([0]),
        D1=np.asarray([1]),
    )
    refused(Path(save(model, tmp_path / "m.onnx")), r"makes 'c' of 1e\+12 elements")


def test_computed_sizes_of_inputs(tmp_path) -> None:
    model = text_model("m (float[1000000,1000000] x) => (float[1000000,1000000] y) { y = Relu(x) }")
    refused(Path(save(model, tmp_path / "m.onnx")), r"of 1e\+12 elements")


def test_terminal(tmp_path, capsys, monkeypatch) -> None:
    model = mlp()
    for number, node in enumerate(model.graph.node):
        node.name = f"\x1b]0;owned\x07{number}\x9b2J"
    model.graph.input[0].name = model.graph.node[0].input[0] = "x\x1b[2J"
    save(model, tmp_path / "m.onnx")
    np.savez(tmp_path / "x.npz", x=samples(model))
    (tmp_path / "\x1b[2J.onnx").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    shown = 0
    for line in (
        ["inspect", "m.onnx", "-v"],
        ["convert", "m.onnx", "--calibration", "x.npz", "--steps", "2", "--code", "rate", "--neuron", "if", "-v"],
        ["inspect", "m.snn.onnx"],
        ["inspect", "\x1b[2J.onnx"],
    ):
        monkeypatch.setattr("sys.argv", ["onnx-snn", *line])
        with pytest.raises(SystemExit):
            main()
        captured = capsys.readouterr()
        shown += len(captured.out)
        assert not set(captured.out + captured.err) & set("\x1b\x07\x9b"), line
    assert shown > 1000


def test_report(tmp_path) -> None:
    model = mlp()
    for number, node in enumerate(model.graph.node):
        node.name = f"</text><script>alert(1)</script>{number}"
        node.output[:] = [name if name == "y" else f"<img src=z>{name}" for name in node.output]
        node.input[:] = [f"<img src=z>{name}" if name[0] in "ha" else name for name in node.input]
    conversion = convert(save(model, tmp_path / "m.onnx"), samples(model), code="rate", neuron="if", n_steps=2)
    write_html(conversion, tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text()
    assert "<script" not in text
    assert "<img" not in text
    assert "script&gt;alert(1)" in text


def test_view(tmp_path) -> None:
    """Netron's own scripts are all there is, whatever the file is called."""
    path = tmp_path / f"{HOSTILE.replace('/', '|')}.onnx"
    path.write_bytes(mlp().SerializeToString())
    (tmp_path / "secret.json").write_text("{}")
    viewer = Viewer(page_of(path))
    threading.Thread(target=viewer.serve, daemon=True).start()
    port = int(viewer.url.rstrip("/").rpartition(":")[2])

    def get(target: str, host: str = f"127.0.0.1:{port}") -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.putrequest("GET", target, skip_host=True)
        connection.putheader("Host", host)
        connection.endheaders()
        return connection.getresponse()

    page = get("/")
    assert (page.status, page.getheader("Content-Security-Policy", "")[:18]) == (200, "default-src 'self'")
    assert len(re.findall("<script", page.read().decode())) == 1
    for target in (
        "/data/secret.json",
        "/data/../secret.json",
        "/../../../etc/passwd",
        f"/data/{tmp_path}/secret.json",
    ):
        assert get(target).status == 404
    assert get("/", "evil.example").status == 404
    viewer.close()


def test_outputs(tmp_path) -> None:
    """A pipe stays a pipe, and a device that takes nothing stays a device."""
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_whole(tmp_path / "pipe", b"whole")
    assert os.read(reader, 10) == b"whole"
    os.close(reader)
    with pytest.raises(OSError, match="/dev/full"):
        write_whole("/dev/full", b"x")
    assert Path("/dev/full").is_char_device()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


@pytest.mark.parametrize("steps", [0, -1, 2**62, -(2**63)])
def test_kernels(steps, tmp_path) -> None:
    """A number of steps that the file says; tests/ops/test_bad_input.py has the rest."""
    model = mlp()
    proto = convert(save(model, tmp_path / "m.onnx"), samples(model), code="rate", neuron="if", n_steps=2).proto()
    for tensor in proto.graph.initializer:
        if tensor.name == "n_steps":
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.asarray(steps, np.int64), "n_steps"))
    with pytest.raises(Exception, match=r"."):  # and the process lives
        Session(proto).ort.run(None, {"x": samples(model)[:2]})


@contextlib.contextmanager
def a_service(folder: Path, **limits: float) -> Iterator[str]:
    """Host and port of one, of a file whose name and folder no client shall see; its token is "t"."""
    model = mlp()
    path = folder / "secret name.snn.onnx"
    convert(save(model, folder / "m.onnx"), samples(model), code="delta", n_steps=2, streaming=True).save(path)
    running = Running(batch=4, count_spikes=False)
    service = Service(SpikingModel(path), name="m", limits=Limits(**limits), running=running)
    server = LocalServer(Application(service, token="t"), Listening(port=0))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server.url.removeprefix("http://")
    finally:
        server.stop()
        thread.join()


def ask(place: str, body: bytes | None = None, path: str = "/v2/models/m", **headers: str) -> tuple[int, str]:
    """Status and text; a body is a request to infer."""
    connection = http.client.HTTPConnection(place, timeout=20)
    try:
        connection.request("GET" if body is None else "POST", path + ("/infer" if body else ""), body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def sample(**changes: object) -> bytes:
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 8], "data": [0.5] * 8}
    return json.dumps({"inputs": [{**tensor, **changes}]}).encode()


BEARER = {"Authorization": "Bearer t"}


def test_serve_token(tmp_path) -> None:
    with a_service(tmp_path) as place:
        for given in ({}, {"Authorization": "Bearer "}, {"Authorization": "t"}, {"Authorization": "Bearer tt"}):
            for path in ("/v2", "/v2/models/m", "/metrics", "/nothing"):
                assert ask(place, path=path, **given)[0] == 401
            assert ask(place, sample(), **given)[0] == 401
            with pytest.raises(InvalidStatus, match="401"):
                connect(f"ws://{place}/v2/models/m/stream", additional_headers=given)
        assert ask(place, sample(), **BEARER)[0] == 200


def test_serve_origin(tmp_path) -> None:
    """A page of another host, and one whose host was made to be this machine."""
    with a_service(tmp_path) as place:
        for origin in ("https://elsewhere.example", f"http://{place}", "null"):
            assert ask(place, sample(), Origin=origin, **BEARER)[0] == 403
            with pytest.raises(InvalidStatus, match="403"):
                connect(f"ws://{place}/v2/models/m/stream", additional_headers=BEARER, origin=origin)


def test_serve_memory(tmp_path) -> None:
    """No more than is said is kept: neither of one body, nor of all, nor of streams."""
    with a_service(tmp_path, body=1 << 20, memory=2 << 20, streams=1, seconds=3.0) as place:
        host, port = place.split(":")
        head = "POST /v2/models/m/infer HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t\r\nContent-Length: "
        with socket.create_connection((host, int(port)), timeout=20) as client:
            client.sendall(f"{head}{1 << 30}\r\n\r\n".encode())
            assert client.recv(12) == b"HTTP/1.1 413"
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(socket.create_connection((host, int(port)), timeout=20)) for _ in range(4)]
            for client in clients:
                client.sendall(f"{head}{1 << 20}\r\n\r\n".encode() + bytes((1 << 20) - 1))
            assert {client.recv(12) for client in clients} == {b"HTTP/1.1 503", b"HTTP/1.1 408"}
        with connect(f"ws://{place}/v2/models/m/stream", additional_headers=BEARER):  # noqa: SIM117
            with pytest.raises(InvalidStatus, match="503"):
                connect(f"ws://{place}/v2/models/m/stream", additional_headers=BEARER)
        assert ask(place, sample(), **BEARER)[0] == 200


def test_serve_time(tmp_path) -> None:
    with a_service(tmp_path, samples=4, steps=8, seconds=2.0) as place:
        for parameters in ({"n_steps": 10**9}, {"n_steps": 9}):
            body = json.dumps({**json.loads(sample()), "parameters": parameters}).encode()
            assert ask(place, body, **BEARER)[0] == 400
        assert ask(place, sample(shape=[5, 8], data=[0.5] * 40), **BEARER)[0] == 400
        host, port = place.split(":")
        with socket.create_connection((host, int(port)), timeout=20) as client:
            client.sendall(
                b"POST /v2/models/m/infer HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t\r\nContent-Length: 9\r\n\r\n{"
            )
            assert ask(place, sample(), **BEARER)[0] == 200
            assert client.recv(12) == b"HTTP/1.1 408"


def test_serve_path(tmp_path, monkeypatch) -> None:
    """Also where something fails inside."""
    with a_service(tmp_path) as place:
        texts = [ask(place, path=path, **BEARER)[1] for path in ("/v2", "/v2/models/m", "/metrics", "/v2/models/..")]
        texts += [ask(place, body, **BEARER)[1] for body in (sample(), b"{", sample(shape=[1, 7]), sample(name="/etc"))]
        monkeypatch.setattr(Session, "run", lambda *_, **__: onnx.load(tmp_path / "not there"))
        texts.append(ask(place, sample(), **BEARER)[1])
        assert "fault of the service" in texts[-1]
    for text in texts:
        assert str(tmp_path) not in text
        assert "secret" not in text
        assert "not there" not in text


def test_serve_state(tmp_path) -> None:
    """States of other shapes and with numbers that no run gives; another stream goes on as it was."""
    with a_service(tmp_path) as place:  # noqa: SIM117
        with (
            connect(f"ws://{place}/v2/models/m/stream", additional_headers=BEARER) as hostile,
            connect(f"ws://{place}/v2/models/m/stream", additional_headers=BEARER) as other,
        ):

            def talk(stream: ClientConnection, message: object) -> dict[str, Any]:
                stream.send(json.dumps(message))
                return json.loads(stream.recv(timeout=20))

            first = talk(other, json.loads(sample()))
            assert talk(hostile, json.loads(sample())) == first
            states = talk(hostile, {"command": "save"})["states"]
            for value in (0, -1, 3e38, -3e38, 2**62, 2**63 - 1, -(2**63), 1e308, float("nan"), float("inf")):
                for state in states:
                    broken = {**state, "data": [value] * len(state["data"])}
                    talk(hostile, {"command": "restore", "states": [broken if s is state else s for s in states]})
                    assert talk(hostile, json.loads(sample())).keys() & {"outputs", "error"}
            for shape in ([], [0], [10**18], [-1, 8], "x"):
                broken = {**states[0], "shape": shape}
                assert talk(hostile, {"command": "restore", "states": [broken, *states[1:]]})["status"] == 400
            talk(hostile, {"command": "restore", "states": states})
            assert talk(hostile, json.loads(sample())) == talk(other, json.loads(sample()))
