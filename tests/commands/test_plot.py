"""onnx-snn plot"""

from __future__ import annotations

import numpy as np
import pytest

import converter
from tests.models import mlp, samples, save

FIXED = {"code": "rate", "neuron": "if", "method": "percentile", "correction": "none", "n_steps": 6}


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("plot")
    trained = mlp()
    x = samples(trained, 16)
    np.savez(folder / "x.npz", x=x)
    np.savez(folder / "none.npz", x=x[:0])
    converter.convert(save(trained, folder / "m.onnx"), x, **FIXED).save(folder / "m.snn.onnx")
    return str(folder / "m.snn.onnx")


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("raster", ("--layer", "second", "--sample", "3", "--neurons", "5")),
        ("voltage", ("--steps", "9")),
        ("rates", ("--samples", "4")),
        ("accuracy", ("--steps", "2,6")),
        ("energy", ()),
    ],
)
def test_every_picture_is_written_in_the_format_of_its_name(command, model, tmp_path, kind, options) -> None:
    data = model.replace("m.snn.onnx", "x.npz")
    out = tmp_path / ("p.png" if kind in ("raster", "energy") else "p.svg")
    done = command("plot", kind, model, "--data", data, "-o", out, *options)
    assert (done.code, done.err) == (0, f"wrote {out}\n")
    assert out.read_bytes().startswith(b"\x89PNG" if out.suffix == ".png" else b"<?xml")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("raster", "M", "--data", "X", "-o", "O/no/p.png"), "the folder O/no does not exist; create it first"),
        (("raster", "M", "--data", "X", "-o", "O/p.gif"), "a picture is .png, .svg or .pdf; name it so"),
        (("rates", "M", "--data", "N", "-o", "O/p.png"), "`x` holds no samples"),
        (("raster", "M", "--data", "X", "-o", "O/p.png", "--layer", "third"), "there is no layer 'third' to record"),
        (("voltage", "M", "--data", "X", "-o", "O/p.png", "--sample", "16"), "there is no sample 16: there are 16"),
        (
            ("energy", "T", "--data", "X", "-o", "O/p.png"),
            "this is not a spiking model; make one with `onnx-snn convert`",
        ),
        (("rates", "M", "--data", "X", "-o", "O/p.png", "--steps", "0"), "at least 1"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_a_line(command, model, tmp_path, arguments, message) -> None:
    folder = model.removesuffix("m.snn.onnx")
    names = {"M": model, "T": f"{folder}m.onnx", "X": f"{folder}x.npz", "N": f"{folder}none.npz"}
    done = command("plot", *(names.get(word, word.replace("O/", f"{tmp_path}/")) for word in arguments))
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert message.replace("O/", f"{tmp_path}/") in done.err
    assert not list(tmp_path.iterdir())
