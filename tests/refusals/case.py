"""A model that is refused, and whether what is said of it is true."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from converter.conversion.main import convert
from converter.normalise.ann import load_ann
from tests.models import samples, save, text_model


@dataclass(frozen=True)
class Case:
    """A model for one refusal.

    Attributes:
        refuse: does, in an empty folder, what is refused.
        line: the whole line that a user reads, as a pattern; ``{folder}`` is that folder.
        holds: whether the reason is true, told by something else than what says it; without it the line names what the model
            was built with.
    """

    refuse: Callable[[Path], object]
    line: str
    holds: Callable[[], bool] | None = None


def loading(model: Callable[[], onnx.ModelProto], line: str) -> Case:
    """Of a file ``m.onnx`` that is refused when it is loaded."""
    return Case(lambda folder: load_ann(save(model(), folder / "m.onnx")), rf"{{folder}}/m\.onnx{line}")


def converting(model: Callable[[], onnx.ModelProto], line: str, *, count: int = 16, **options: object) -> Case:
    """Of a file ``m.onnx`` that loads, but cannot be converted with so many samples."""

    def refuse(folder: Path) -> None:
        proto = model()
        convert(save(proto, folder / "m.onnx"), samples(proto, count), **options)

    return Case(refuse, rf"{{folder}}/m\.onnx{line}")


def graph(body: str, *, opset: int = 18, **arrays: object) -> onnx.ModelProto:
    """x [N, 4] -> y, with weights W [4, 4] and `arrays` of integers."""
    declared = "".join(f", int64{list(np.shape(array))} {name}" for name, array in arrays.items())
    text = f"m (float[N,4] x) => (float[N,4] y) <float[4,4] W{declared}> {{ {body} }}"
    return text_model(text, opset=opset, **{name: np.asarray(array) for name, array in arrays.items()})
