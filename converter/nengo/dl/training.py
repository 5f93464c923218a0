"""Training a spiking model in NengoDL.

While it trains, NengoDL replaces spiking neurons by their rates at a constant current (LIF by SoftLIFRate, whose gradient does
not vanish at the threshold), so one step of each sample is enough. Validation is the spiking model itself in ONNX Runtime.

An epoch depends on nothing but the state at its begin, its number and the seed; the state is in the checkpoint. So a run that
was killed and resumed ends with the same weights as one that was not.
"""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import nengo
import numpy as np
import onnx

from converter.errors import RefusedError
from converter.graph.run import Feed
from converter.io.files import write_npz
from converter.io.progress import Progress, silent
from converter.io.samples import Samples
from converter.io.weights import import_weights
from converter.nengo.at_rest import at_rest
from converter.nengo.dl.shim import import_nengo_dl
from converter.nengo.dl.simulator import to_nengo_dl, without_warnings
from converter.nengo.handlers import HANDLERS
from converter.nengo.handlers.movement import alias
from converter.nengo.network import NengoModel
from converter.nengo.shapes import shapes_of_one_step
from converter.nengo.windows import windows_as_running_means
from snn_ops.files import read_npz
from snn_ops.format import DOMAIN
from snn_ops.ops import OPERATORS
from snn_ops.session import Session

Calibrate = Callable[[onnx.ModelProto], onnx.ModelProto]
"""From a spiking model to one whose neurons have numbers that fit its weights."""


def as_it_is(proto: onnx.ModelProto) -> onnx.ModelProto:
    """A model whose neurons' numbers do not follow from its weights."""
    return proto


@dataclass(frozen=True)
class TrainingOptions:
    """How to train.

    Attributes:
        epochs: at most.
        batch_size: samples per step of the optimiser, which is Adam.
        learning_rate: of it.
        smoothing: width of SoftLIFRate's threshold; 0: LIFRate.
        patience: epochs without a better validation accuracy before it stops; None: never.
        n_steps: for validation; None: those the model was made for.
        seed: of the order of the samples.
    """

    epochs: int = 5
    batch_size: int = 100
    learning_rate: float = 1e-3
    smoothing: float = 0.1
    patience: int | None = None
    n_steps: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "patience", "n_steps"):
            number = getattr(self, name)
            if number is not None and number < 1:
                raise RefusedError(f"{name} must be at least 1, it is {number}")
        if not (0 < self.learning_rate < np.inf and 0 <= self.smoothing < np.inf):
            raise RefusedError("the learning rate must be above 0, and the smoothing not below it")
        if self.seed < 0:
            raise RefusedError(f"the seed must not be negative, it is {self.seed}")


@dataclass(frozen=True)
class Epoch:
    """What an epoch gave: the mean loss of its batches, and the spiking model's accuracy on the validation samples."""

    loss: float
    validation_accuracy: float


@dataclass
class Training:
    """A training and its result.

    Attributes:
        model: with the weights of the best epoch.
        epochs: all that ran, resumed ones too.
        best: the index of the best.
        resumed_at: the epoch that a checkpoint continued with; 0: none did.
    """

    model: onnx.ModelProto
    epochs: list[Epoch]
    best: int
    trained: list[str]
    notes: list[str]
    resumed_at: int = 0

    def summary(self) -> dict[str, Any]:
        """Everything but the model, ready for JSON."""
        return {
            "epochs": [asdict(epoch) for epoch in self.epochs],
            "best": self.best,
            "trained": self.trained,
            "notes": self.notes,
            "resumed_at": self.resumed_at,
        }


@dataclass
class _State:
    """All that an epoch depends on."""

    weights: dict[str, np.ndarray]
    best_weights: dict[str, np.ndarray]
    optimiser: list[np.ndarray] = field(default_factory=list)
    epochs: list[Epoch] = field(default_factory=list)
    best: int = -1


def train(
    proto: onnx.ModelProto,
    samples: Samples,
    validation: Samples,
    options: TrainingOptions | None = None,
    *,
    calibrate: Calibrate = as_it_is,
    checkpoint: Path | None = None,
    progress: Progress = silent,
) -> Training:
    """Trains all weights and biases of connections; gains and the like stay, and thresholds, unless `calibrate` says otherwise.

    Args:
        proto: the spiking model; its first output are logits or probabilities of classes.
        samples: with labels.
        validation: with labels.
        options: how.
        calibrate: gives a model with new weights, before it is validated, the neurons' numbers that belong to them.
        checkpoint: a file to keep the state in after each epoch; if it is there, the training continues from it.
        progress: called as work advances.

    Raises:
        RefusedError: NengoDL is not installed, samples without labels or fewer than a batch, a model that Nengo does not have
            or with neurons whose rate is not known in closed form, or a checkpoint of another training.
    """
    options = options or TrainingOptions()
    for node in proto.graph.node:
        operator = OPERATORS.get(node.op_type) if node.domain == DOMAIN else None
        if operator is not None and not operator.has_closed_form_rate:
            raise RefusedError(
                f"{node.op_type} has no rate in closed form to train with; convert with another --neuron",
                node=node.name,
            )
    of_classes = class_count(proto)
    check_labelled(samples, of_classes, options.batch_size)
    check_labelled(validation, of_classes)
    return _Trainer(proto, samples, validation, options, calibrate, checkpoint, progress).run()


def class_count(proto: onnx.ModelProto) -> int:
    """Numbers in the first output of a sample."""
    return int(np.prod(shapes_of_one_step(at_rest(proto))[proto.graph.output[0].name][1:], dtype=int))


def check_labelled(samples: Samples, of_classes: int, batch_size: int = 1) -> None:
    """Whether samples can be trained with.

    Raises:
        RefusedError: they are fewer than a batch, have no labels, or one that is not below `of_classes`.
    """
    if len(samples) < batch_size:
        raise RefusedError(f"there are {len(samples)} samples to train with, fewer than a batch of {batch_size}")
    if samples.labels is None:
        raise RefusedError("training needs labels `y` beside the samples")
    wrong = np.flatnonzero((samples.labels < 0) | (samples.labels >= of_classes))
    if len(wrong):
        raise RefusedError(
            f"the label of sample {wrong[0]} is {samples.labels[wrong[0]]}, but the model has the classes 0 to {of_classes - 1}"
        )


class _Trainer:
    def __init__(
        self,
        proto: onnx.ModelProto,
        samples: Samples,
        validation: Samples,
        options: TrainingOptions,
        calibrate: Calibrate,
        checkpoint: Path | None,
        progress: Progress,
    ) -> None:
        self.proto, self.samples, self.validation, self.options = proto, samples, validation, options
        self.calibrate, self.checkpoint, self.progress = calibrate, checkpoint, progress

    def run(self) -> Training:
        self.nengo_dl = import_nengo_dl()
        self.calibrate(self.proto)  # what it refuses, it refuses before hours of training
        state = self._resume()
        resumed_at = len(state.epochs) if state else 0
        begun = import_weights(self.proto, state.weights) if state else self.proto
        network = to_nengo_dl(windows_as_running_means(at_rest(begun)))
        with without_warnings(), self._simulator(network) as simulator:
            state = state or _State(self._weights(simulator, network), {})
            self._restore_optimiser(simulator, state)
            while len(state.epochs) < self.options.epochs and not self._is_patience_over(state):
                self._epoch(simulator, network, state)
                self._keep(state)
        model = self._with(state.best_weights)
        return Training(
            model, state.epochs, state.best, list(network.script.parameters), network.script.notes, resumed_at
        )

    def _simulator(self, network: NengoModel) -> Any:
        """A simulator that is compiled, with the same random numbers in every run."""
        tf = importlib.import_module("tensorflow")

        tf.keras.utils.set_random_seed(self.options.seed)
        tf.config.experimental.enable_op_determinism()
        net = network.network
        if not network.script.parameters:
            raise RefusedError("it has no weights that could be trained")
        with net:
            self.nengo_dl.configure_settings(trainable=False, lif_smoothing=self.options.smoothing or None)
            for connection in net.parameters.values():
                net.config[connection].trainable = True
            name = next(iter(net.outputs))
            self.probe = nengo.Probe(net.outputs[name])
        simulator = self.nengo_dl.Simulator(
            net, dt=network.dt, minibatch_size=self.options.batch_size, progress_bar=False, seed=self.options.seed
        )
        loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=not _are_probabilities(self.proto, name))
        simulator.compile(optimizer=tf.keras.optimizers.Adam(self.options.learning_rate), loss={self.probe: loss})
        return simulator

    def _epoch(self, simulator: Any, network: NengoModel, state: _State) -> None:
        number, size = len(state.epochs), self.options.batch_size
        order = np.random.default_rng((self.options.seed, number)).permutation(len(self.samples))
        order = order[: len(order) // size * size]
        assert self.samples.labels is not None
        x = {
            network.network.inputs[name]: array[order].reshape(len(order), 1, -1)
            for name, array in self.samples.feed.items()
        }
        y = {self.probe: self.samples.labels[order].reshape(-1, 1, 1)}
        what = f"epoch {number + 1} of {self.options.epochs}"
        bar = _progress_callback(lambda batch: self.progress(what, (batch + 1) * size, len(order)))
        history = simulator.fit(x, y, epochs=1, shuffle=False, verbose=0, callbacks=[bar])
        loss = float(history.history["loss"][0])
        state.weights = self._weights(simulator, network)
        if not np.isfinite(loss) or not all(np.isfinite(array).all() for array in state.weights.values()):
            raise RefusedError(
                f"the loss is {loss} after {what}, a weight is no finite number: lower the learning rate"
            )
        state.optimiser = [variable.numpy() for variable in _variables(simulator)]
        state.epochs.append(Epoch(loss, self._accuracy(state.weights)))
        if state.best < 0 or state.epochs[-1].validation_accuracy > state.epochs[state.best].validation_accuracy:
            state.best, state.best_weights = number, state.weights

    def _weights(self, simulator: Any, network: NengoModel) -> dict[str, np.ndarray]:
        return {
            name: np.ascontiguousarray(parameter.to_onnx(np.asarray(simulator.data[connection].weights)))
            for (name, parameter), connection in zip(
                network.script.parameters.items(), network.network.parameters.values(), strict=True
            )
        }

    def _accuracy(self, weights: dict[str, np.ndarray]) -> float:
        """Of the spiking model in ONNX Runtime."""
        return accuracy(self._with(weights), self.validation, self.options.n_steps)

    def _with(self, weights: dict[str, np.ndarray]) -> onnx.ModelProto:
        """The spiking model with these weights."""
        return self.calibrate(import_weights(self.proto, weights))

    def _is_patience_over(self, state: _State) -> bool:
        patience = self.options.patience
        return patience is not None and len(state.epochs) - 1 - state.best >= patience

    def _restore_optimiser(self, simulator: Any, state: _State) -> None:
        simulator.keras_model.optimizer.build(simulator.keras_model.trainable_variables)
        for variable, value in zip(_variables(simulator), state.optimiser, strict=bool(state.optimiser)):
            variable.assign(value)

    def _keep(self, state: _State) -> None:
        if self.checkpoint is None:
            return
        arrays = {f"weights/{name}": array for name, array in state.weights.items()}
        arrays |= {f"best/{name}": array for name, array in state.best_weights.items()}
        arrays |= {f"optimiser/{index:04}": array for index, array in enumerate(state.optimiser)}
        about = {"run": self._fingerprint(), "epochs": [asdict(epoch) for epoch in state.epochs], "best": state.best}
        write_npz(self.checkpoint, {"about": np.asarray(json.dumps(about)), **arrays})

    def _resume(self) -> _State | None:
        if self.checkpoint is None or not self.checkpoint.exists():
            return None
        try:
            arrays = read_npz(self.checkpoint)
            about = json.loads(str(arrays.pop("about")))
            run = about["run"]
        except (OSError, ValueError, KeyError, TypeError):
            raise RefusedError("not a checkpoint; remove it to begin anew", file=self.checkpoint) from None
        if run != self._fingerprint():
            raise RefusedError(
                "the checkpoint belongs to a training with another model, other samples or other options; "
                "remove it to begin anew",
                file=self.checkpoint,
            )

        def group(prefix: str) -> dict[str, np.ndarray]:
            return {k.removeprefix(f"{prefix}/"): v for k, v in arrays.items() if k.startswith(f"{prefix}/")}

        epochs = [Epoch(**epoch) for epoch in about["epochs"]]
        optimiser = [array for _, array in sorted(group("optimiser").items())]
        return _State(group("weights"), group("best"), optimiser, epochs, about["best"])

    def _fingerprint(self) -> str:
        """Of everything that decides on the result but the number of epochs and the patience."""
        digest = hashlib.sha256(self.proto.SerializeToString(deterministic=True))
        for samples in (self.samples, self.validation):
            for array in (*samples.feed.values(), samples.labels):
                assert array is not None
                digest.update(array.tobytes())
        options = {k: v for k, v in asdict(self.options).items() if k not in ("epochs", "patience")}
        digest.update(json.dumps(options, sort_keys=True).encode())
        return digest.hexdigest()


def accuracy(proto: onnx.ModelProto, samples: Samples, n_steps: int | None = None) -> float:
    """Share of the samples whose largest output is the label, in ONNX Runtime."""
    return float((classes(proto, samples.feed, n_steps) == samples.labels).mean())


def classes(proto: onnx.ModelProto, feed: Feed, n_steps: int | None = None) -> np.ndarray:
    """The largest output of every sample, in ONNX Runtime."""
    outputs = Session(proto, n_steps=n_steps).run(feed)[0]
    largest: np.ndarray = outputs.reshape(len(outputs), -1).argmax(axis=1)
    return largest


def _are_probabilities(proto: onnx.ModelProto, value: str) -> bool:
    """Whether a Softmax makes a value, perhaps in another shape."""
    producers = {name: node for node in proto.graph.node for name in node.output}
    while value in producers and HANDLERS.get(("", producers[value].op_type)) is alias:
        value = producers[value].input[0]
    return value in producers and producers[value].op_type == "Softmax"


def _variables(simulator: Any) -> list[Any]:
    """The optimiser's: its step, and moments of every weight."""
    variables = simulator.keras_model.optimizer.variables
    return list(variables() if callable(variables) else variables)


def _progress_callback(advance: Callable[[int], None]) -> Any:
    tf = importlib.import_module("tensorflow")

    return tf.keras.callbacks.LambdaCallback(on_batch_end=lambda batch, logs: advance(batch))
