"""The C++ examples, built with the machine's compiler, give the classes and scores that Python gives."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib import resources
from pathlib import Path

import numpy as np
import onnx
import pytest

import snn_ops
from converter import convert, load_ann
from converter.demo import demo_samples

ROOT = Path(__file__).parents[2]
IMAGES = 6


@pytest.fixture(scope="module")
def program(tmp_path_factory) -> Path:
    if not (shutil.which("cmake") and (shutil.which("c++") or shutil.which("g++") or os.environ.get("CXX"))):
        pytest.skip("no C++ compiler")
    build = tmp_path_factory.mktemp("cpp")
    configure = ["cmake", "-S", ROOT / "examples" / "cpp", "-B", build, f"-DPython3_EXECUTABLE={sys.executable}"]
    for command in (configure, ["cmake", "--build", build]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return build / "classify"


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "streaming"])
def model(request, tmp_path_factory) -> tuple[Path, np.ndarray]:
    """The embedded LeNet-5, converted, and test images. A file made for streaming has version 2 of the domain."""
    path = tmp_path_factory.mktemp("model") / "lenet5.snn.onnx"
    with resources.as_file(resources.files("converter.demo") / "data" / "lenet5_relu.onnx") as source:
        ann = load_ann(source)
    convert(ann, demo_samples("calibration", ann.input_specs), n_steps=8, streaming=request.param, code="rate").save(
        path
    )
    (images,) = demo_samples("test", ann.input_specs).first(IMAGES).feed.values()
    return path, images


def run(program: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)


def scores_of(done: subprocess.CompletedProcess[str]) -> tuple[int, np.ndarray]:
    assert done.returncode == 0, done.stderr
    first, *rest = done.stdout.splitlines()
    assert [int(line.split()[0]) for line in rest] == list(range(len(rest)))
    return int(first.removeprefix("class ")), np.asarray([line.split()[1] for line in rest], np.float32)


@pytest.mark.parametrize("n_steps", [None, 3])
def test_classifies_as_python_does(program, model, tmp_path, n_steps) -> None:
    path, images = model
    expected = np.concatenate(
        [snn_ops.Session(path, n_steps=n_steps, batch_size=1).run(image[None])[0] for image in images]
    )
    assert len(set(expected.argmax(axis=1))) > 1
    for index, (image, row) in enumerate(zip(images, expected, strict=True)):
        raw, pgm = tmp_path / "image.f32", tmp_path / "image.pgm"
        raw.write_bytes(image.astype("<f4").tobytes())
        pgm.write_bytes(b"P5\n# a digit\n28 28\n255\n" + np.rint(255 * image).astype(np.uint8).tobytes())
        file = (raw, pgm)[index % 2]
        steps = ("--steps", n_steps) if n_steps else ()
        found, scores = scores_of(run(program, snn_ops.library_path(), path, file, *steps))
        assert found == row.argmax()
        np.testing.assert_allclose(scores, row, rtol=1e-5, atol=1e-5)


def test_a_newer_format_is_refused(program, model, tmp_path) -> None:
    path, images = model
    image, newer = tmp_path / "image.f32", tmp_path / "newer.snn.onnx"
    image.write_bytes(images[0].astype("<f4").tobytes())
    for text, reason in (
        ("2", "made for format 2, this program reads 1"),
        ("9" * 30, "reads 1"),
        ("two", "no number: two"),
    ):
        proto = onnx.load(path)
        onnx.helper.set_model_props(proto, {"onnx_snn.format": text})
        onnx.save(proto, newer)
        done = run(program, snn_ops.library_path(), newer, image)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"classify: {newer}: ")
        assert reason in done.stderr
        assert done.stderr.count("\n") == 1


def test_bad_input(program, model, tmp_path) -> None:
    path, images = model
    library = snn_ops.library_path()
    good, small, cut = tmp_path / "good.f32", tmp_path / "small.f32", tmp_path / "cut.pgm"
    good.write_bytes(images[0].tobytes())
    small.write_bytes(images[0].tobytes()[:400])
    cut.write_bytes(b"P5 28 28 255 abc")
    refused = {
        (library, path, "missing.f32"): "missing.f32: cannot be read",
        (library, path, small): "100 numbers, where the model takes 784",
        (library, path, cut): "not a binary PGM",
        (library, "missing.snn.onnx", good): "missing.snn.onnx",
        ("missing.so", path, good): "missing.so",
        (library, good, good): "good.f32",
    }
    for arguments, reason in refused.items():
        done = run(program, *arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("classify: ")
        assert reason in done.stderr
        assert done.stderr.count("\n") == 1
    for wrong in ((), (library, path), (library, path, good, "--steps", "0"), (library, path, good, "--steps")):
        assert run(program, *wrong).returncode == 2


@pytest.mark.parametrize("n_steps", [None, 3])
def test_a_stream_goes_on_from_frame_to_frame(program, model, tmp_path, n_steps) -> None:
    """Twice the same picture, then others: scores depend on what went before, bit for bit as in Python."""
    path, images = model
    images = np.concatenate([images[:1], images])
    frames = tmp_path / "frames.f32"
    frames.write_bytes(images.astype("<f4").tobytes())
    steps = ("--steps", n_steps) if n_steps else ()
    done = run(program.with_name("stream"), snn_ops.library_path(), path, frames, *steps)
    session = snn_ops.Session(path, batch_size=1)
    if len(session.ort.get_outputs()) == 1:  # no states
        assert (done.returncode, done.stdout) == (1, "")
        assert "convert it with --streaming" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    stream = session.stream()
    expected = np.concatenate([stream.run(image[None], n_steps=n_steps)[0] for image in images])
    found = np.asarray([line.split() for line in done.stdout.splitlines()], np.float32)
    assert found[:, 0].tolist() == expected.argmax(axis=1).tolist()
    np.testing.assert_allclose(found[:, 1:], expected, rtol=1e-6, atol=1e-6)
    assert not np.allclose(expected[0], expected[1])
    frames.write_bytes(images.tobytes()[:-4])
    done = run(program.with_name("stream"), snn_ops.library_path(), path, frames)
    assert done.returncode == 1
    assert "not a whole number of inputs of 784 float32 numbers" in done.stderr
    assert run(program.with_name("stream"), path, frames).returncode == 2
