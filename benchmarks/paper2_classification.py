"""Paper 2: an MLP and a CNN on MNIST, converted, not trained again. ``python -m benchmarks.paper2_classification [--paper]``

Accuracy and the time of 10,000 images at n_steps 1, 15, 30, 45, 60: Keras; NengoDL with the converted weights, as the thesis
has it (benchmarks/nengo_dl_converter.py); ONNX-SNN in ONNX Runtime. ``--paper`` takes 10 epochs and all 10,000 images; by
default there are fewer epochs, and NengoDL runs 500 images (its time is scaled up).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import datasets, keras_models, nengo_dl_converter
from benchmarks.machine import describe
from converter import convert
from converter.report.json_file import write_json
from snn_ops import Session

STEPS = (1, 15, 30, 45, 60)
NETWORKS: dict[str, Callable[[], Any]] = {"MLP": keras_models.mlp, "CNN": keras_models.cnn}
IMAGES = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--paper", action="store_true", help="the paper's settings: 10 epochs, all images")
    parser.add_argument("--epochs", type=int, help="[default: 2]")
    parser.add_argument("--nengo-samples", type=int, help="test images that NengoDL runs [default: 500]")
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    epochs = arguments.epochs or (10 if arguments.paper else 2)
    samples = arguments.nengo_samples or (IMAGES if arguments.paper else 500)
    print(describe())
    print(f"Adam, learning rate 0.001, batch 128, {epochs} epochs; NengoDL on {samples} images")
    results = {name: network(name, epochs, samples) for name in arguments.networks}
    if arguments.json:
        write_json({"machine": describe(), "epochs": epochs, "nengo_samples": samples, **results}, arguments.json)


def network(name: str, epochs: int, nengo_samples: int) -> dict[str, Any]:
    data = datasets.load("mnist")
    x_train, x_test = (np.moveaxis(a, 1, -1).astype(np.float32) / 255 for a in (data.x_train, data.x_test))
    keras_models.keras.utils.set_random_seed(0)
    start = time.perf_counter()
    model = keras_models.fit(NETWORKS[name](), x_train, data.y_train, epochs=epochs, batch=128, learning_rate=1e-3)
    training = time.perf_counter() - start
    model.predict(x_test[:128], verbose=0)
    start = time.perf_counter()
    found = model.predict(x_test, batch_size=128, verbose=0).argmax(axis=1)
    result: dict[str, Any] = {
        "training seconds": training,
        "Keras": {"accuracy": _accuracy(found, data.y_test), "seconds": time.perf_counter() - start},
    }
    print(f"{name}: trained in {training:.0f} s; Keras {_line(result['Keras'])}", flush=True)
    ann = keras_models.to_ann(model)
    input = str(ann.inputs[0].name)
    for steps in STEPS:
        conversion = convert(ann, x_train[:256], n_steps=steps, code="rate")
        session = Session(conversion.proto(), n_steps=steps)
        session.run(x_test[:128])
        start = time.perf_counter()
        (outputs,) = session.run({input: x_test})
        ours = {"accuracy": _accuracy(outputs.argmax(axis=1), data.y_test), "seconds": time.perf_counter() - start}
        outputs, seconds = nengo_dl_converter.run(model, x_test[:nengo_samples], steps)
        theirs = {
            "accuracy": _accuracy(outputs.argmax(axis=1), data.y_test[:nengo_samples]),
            "seconds": seconds * IMAGES / nengo_samples,
        }
        result[f"n_steps {steps}"] = {"ONNX-SNN": ours, "NengoDL": theirs}
        print(f"{name} n_steps {steps:2}: ONNX-SNN {_line(ours)}; NengoDL {_line(theirs)}", flush=True)
    return result


def _accuracy(found: np.ndarray, labels: Any) -> float:
    return float((found == labels).mean())


def _line(figures: dict[str, float]) -> str:
    return f"{figures['accuracy']:.2%}, {figures['seconds']:.2f} s"


if __name__ == "__main__":
    main()
