"""The samples of a command: read by the one loader, preprocessed, and looked at before minutes are spent on them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from converter.errors import concerning
from converter.io.preprocess import Preprocessing
from converter.io.samples import Samples, load_samples
from converter.measure.input_check import doubts
from converter.normalise.ann import Ann
from converter.report.console import messages
from converter.spiking.model import SpikingModel
from snn_ops.format import FormatError


def preprocessing(texts: Sequence[str] | None, spiking: SpikingModel | None = None) -> Preprocessing | None:
    """What the user says, else what the model's file says, else None.

    Raises:
        RefusedError: it is no preprocessing.
    """
    given = Preprocessing.parse(texts or ())
    if given is not None or spiking is None:
        return given
    with concerning(spiking.path):
        return Preprocessing.read(spiking.metadata.preprocess)


def load(
    data: str | Path,
    spiking: SpikingModel,
    *,
    first: int | None = None,
    preprocess: Sequence[str] | None = None,
    against: Ann | None = None,
) -> Samples:
    """Samples for a spiking model. What looks like a mistake is said on standard error.

    Args:
        data: what `converter.io.shards.find` finds.
        spiking: the model.
        first: how many samples; default: all.
        preprocess: as the user said it; default: what the file says.
        against: the trained model, if it is there.

    Raises:
        RefusedError: as `load_samples`.
    """
    samples = load_samples(data, spiking.inputs, first=first, preprocess=preprocessing(preprocess, spiking))
    with suppress(FormatError):  # what a damaged field would have told
        say_doubts(samples, spiking, against)
    return samples


def say_doubts(samples: Samples, spiking: SpikingModel | None, against: Ann | None = None) -> None:
    """A line for each likely mistake.

    Raises:
        FormatError: the file's metadata are damaged in what tells its inputs.
    """
    known = spiking.metadata.input_ranges if spiking is not None else {}
    for doubt in doubts(samples, known, against.model if against is not None else None):
        messages().print(f"note: {doubt}", soft_wrap=True)
