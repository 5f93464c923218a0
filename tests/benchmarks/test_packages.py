"""benchmarks/packages/: models of other authors, listed with their samples as a folder of models is."""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks import packages, zoo
from benchmarks.packages import __main__ as command
from benchmarks.packages import make
from converter import load_ann

DATA = Path("converter/demo/data")


def test_each_name_has_a_maker() -> None:
    assert tuple(make.MAKERS) == packages.NAMES


def test_what_is_there_is_listed_and_its_samples_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `benchmarks.defaults` and `benchmarks.delta_models` read them; labels count where the file has some."""
    shutil.copy(DATA / "lenet5_relu.onnx", tmp_path / "magika.onnx")
    shutil.copy(DATA / "mnist_calibration.npz", tmp_path / "magika.calibration.npz")
    shutil.copy(DATA / "mnist_test.npz", tmp_path / "magika.test.npz")
    monkeypatch.setattr("sys.argv", ["packages", str(tmp_path), "--models", "magika"])
    monkeypatch.setattr(command.environments, "python_of", lambda *_: "a Python that is not asked")
    command.main()
    assert [entry["file"] for entry in json.loads((tmp_path / "models.json").read_text())] == ["magika.onnx"]
    (entry,) = zoo.chosen(tmp_path, None)
    ann = load_ann(entry["path"])
    calibration, test = zoo.samples_for(ann, entry, argparse.Namespace())
    with np.load(DATA / "mnist_test.npz") as kept:
        np.testing.assert_array_equal(test.feed[ann.input_specs[0].name], kept["x"])
        np.testing.assert_array_equal(test.labels, kept["y"])
    assert len(calibration) == len(np.load(DATA / "mnist_calibration.npz")["x"])


def test_the_ends_of_a_file_are_taken_as_magika_takes_them(tmp_path: Path) -> None:
    """White space at both ends does not count; what is missing is 256: behind the beginning, before the end."""
    path = tmp_path / "a.txt"
    path.write_bytes(b"\n  ab\n c  \n")
    ends = make._ends(path, length=8)
    np.testing.assert_array_equal(ends[:8], [*b"ab\n c  \n"])
    np.testing.assert_array_equal(ends[8:], [*b"\n  ab\n c"])
    path.write_bytes(b" ab ")
    np.testing.assert_array_equal(make._ends(path, length=4), [*b"ab ", 256, 256, *b" ab"])
