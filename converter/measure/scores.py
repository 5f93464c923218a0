"""Accuracy, agreement and error of outputs, added up over batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class OutputError:
    """One output against the trained model's: ||snn - ann|| / ||ann||, and the cosine between both."""

    relative_error: float | None
    cosine: float | None


@dataclass(frozen=True)
class StepResult:
    """The model after `n_steps` steps.

    Attributes:
        accuracy: share of samples whose largest score is the label's; None without labels. The first output tells: scores, or
            the number of the class itself, as classifiers of scikit-learn give it.
        agreement: share whose largest score is that of the trained model; None without it or with one score only.
        relative_error: ||snn - ann|| / ||ann|| over the outputs of all samples; None without the trained model.
        outputs: the same and the cosine, output by output.
    """

    n_steps: int
    accuracy: float | None
    agreement: float | None
    relative_error: float | None
    outputs: dict[str, OutputError] = field(default_factory=dict)


class Score:
    """Counts hits and errors over batches."""

    def __init__(self, steps: int, labelled: bool, against: bool) -> None:
        self._steps, self._labelled, self._against = steps, labelled, against
        self._samples = 0
        self._ann_hits = 0
        self._hits, self._agreements = np.zeros(steps), np.zeros(steps)
        self._sums: dict[str, _OutputSums] = {}
        self._tells_classes = True

    def add(
        self, readout: Mapping[str, np.ndarray], reference: Sequence[np.ndarray] | None, labels: np.ndarray | None
    ) -> None:
        """A batch: ``readout`` [steps, samples, ...] by output, and the trained model's outputs."""
        first = next(iter(readout.values()))
        self._samples += first.shape[1]
        predicted = classes_of(first, 2)
        self._tells_classes &= predicted is not None
        if predicted is not None:
            if labels is not None:
                self._hits += (predicted == labels).sum(axis=1)
            expected = classes_of(reference[0], 1) if reference is not None else None
            if expected is not None:
                self._agreements += (predicted == expected).sum(axis=1)
                if labels is not None:
                    self._ann_hits += int((expected == labels).sum())
        for (name, mine), theirs in zip(readout.items(), reference or [], strict=False):
            if np.issubdtype(theirs.dtype, np.floating):
                self._sums.setdefault(name, _OutputSums(self._steps)).add(mine, theirs.reshape(mine.shape[1:]))

    def merge(self, later: Score) -> None:
        """Adds what was counted on samples after these."""
        self._labelled &= later._labelled
        self._tells_classes &= later._tells_classes
        self._samples += later._samples
        self._ann_hits += later._ann_hits
        self._hits += later._hits
        self._agreements += later._agreements
        for name, sums in later._sums.items():
            self._sums.setdefault(name, _OutputSums(self._steps)).merge(sums)

    def ann_accuracy(self) -> float | None:
        """Of the trained model."""
        return self._ann_hits / self._samples if self._tells_classes and self._labelled and self._against else None

    def result(self, index: int, n_steps: int) -> StepResult:
        """Of the spiking model after the index-th number of steps."""
        error = sum(sums.error[index] for sums in self._sums.values())
        power = sum(sums.power for sums in self._sums.values())
        return StepResult(
            n_steps,
            float(self._hits[index] / self._samples) if self._tells_classes and self._labelled else None,
            float(self._agreements[index] / self._samples) if self._tells_classes and self._against else None,
            float(np.sqrt(error / power)) if power else None,
            {name: sums.result(index) for name, sums in self._sums.items()},
        )


def classes_of(output: np.ndarray, axes: int) -> np.ndarray | None:
    """Class numbers, from class numbers or from scores for each class after the first `axes` axes; None from anything else.

    Of scores that are not numbers none is the largest: their class is -1.
    """
    lengths = output.shape[axes:]
    size = int(np.prod(lengths))
    if size == 1 and np.issubdtype(output.dtype, np.integer):
        return output.reshape(output.shape[:axes])
    if size == 1 or size != max(lengths):
        return None
    scores = output.reshape(*output.shape[:axes], -1)
    classes: np.ndarray = np.where(np.isnan(scores).any(axis=axes), -1, scores.argmax(axis=axes))
    return classes


class _OutputSums:
    """Sums of squares and products of one output."""

    def __init__(self, steps: int) -> None:
        self.error, self._own, self._product = np.zeros(steps), np.zeros(steps), np.zeros(steps)
        self.power = 0.0

    def add(self, mine: np.ndarray, theirs: np.ndarray) -> None:
        """``mine`` [steps, samples, ...], ``theirs`` [samples, ...]."""
        expected = theirs.astype(np.float64).reshape(-1)
        rows = mine.astype(np.float64).reshape(len(mine), -1)
        self.error += ((rows - expected) ** 2).sum(axis=1)
        self._own += (rows**2).sum(axis=1)
        self._product += rows @ expected
        self.power += float((expected**2).sum())

    def merge(self, later: _OutputSums) -> None:
        """Adds the sums over other samples."""
        self.error += later.error
        self._own += later._own
        self._product += later._product
        self.power += later.power

    def result(self, index: int) -> OutputError:
        """After the index-th number of steps."""
        lengths = float(np.sqrt(self._own[index] * self.power))
        return OutputError(
            float(np.sqrt(self.error[index] / self.power)) if self.power else None,
            float(self._product[index] / lengths) if lengths else None,
        )


def strange_labels(labels: np.ndarray | None, outputs: np.ndarray) -> str | None:
    """What to say of labels that are no classes of a model; None: nothing.

    Args:
        labels: class numbers.
        outputs: of the model, for some samples; scores tell how many classes there are, from 0 on.
    """
    if labels is None or np.issubdtype(outputs.dtype, np.integer) or classes_of(outputs, 1) is None:
        return None
    classes = int(np.prod(outputs.shape[1:]))
    low, high = int(labels.min()), int(labels.max())
    if low >= 0 and high < classes:
        return None
    instead = (
        "they seem to begin at 1: subtract 1" if (low, high) == (1, classes) else "give the numbers of its classes"
    )
    return f"the labels `y` run from {low} to {high}, the model's classes from 0 to {classes - 1}; {instead}"
