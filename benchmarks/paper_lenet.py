"""Paper 1, table 3: LeNet-1, LeNet-4, LeNet-5 on MNIST. ``python -m benchmarks.paper_lenet [--paper]``

Tanh, Sigmoid and ReLU are trained in Keras. LIF and SoftLIFRate are the ReLU network: Keras -> ONNX -> ONNX-SNN -> NengoDL,
which trains LIF through SoftLIFRate -> back into the ONNX-SNN file -> ONNX Runtime. Test error on the 10,000 images.
``--paper`` takes the paper's 100 epochs, batch 200 and learning rate 0.01; by default there are fewer epochs.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir

from benchmarks import datasets, keras_models
from benchmarks.machine import describe
from converter import convert
from converter.graph.build import add_functions, constant_of, operand, operator_node, set_constant, to_proto
from converter.graph.run import start_quietly
from converter.io.samples import Samples
from converter.nengo.dl.simulator import DLSimulator, to_nengo_dl
from converter.nengo.dl.training import TrainingOptions, classes, train
from converter.report.json_file import write_json

ACTIVATIONS = ("tanh", "sigmoid", "relu")
SMOOTHING = 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--paper", action="store_true", help="the paper's settings: 100 epochs")
    parser.add_argument("--epochs", type=int, help="of Keras [default: 8]")
    parser.add_argument("--nengo-epochs", type=int, help="of NengoDL [default: 2]")
    parser.add_argument("--networks", nargs="+", default=["LeNet-1", "LeNet-4", "LeNet-5"])
    parser.add_argument("--steps", type=int, default=32)
    parser.add_argument("--batch", type=int, default=200)
    parser.add_argument("--learning-rate", type=float, default=0.01, help="of Keras; it falls to 0 along a cosine")
    parser.add_argument("--nengo-samples", type=int, default=10_000, help="test images that NengoDL runs too")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    arguments.epochs = arguments.epochs or (100 if arguments.paper else 8)
    arguments.nengo_epochs = arguments.nengo_epochs or (100 if arguments.paper else 2)
    print(describe())
    print(f"{arguments.epochs} epochs of Keras, {arguments.nengo_epochs} of NengoDL; T = {arguments.steps}")
    results = {name: network(name, arguments) for name in arguments.networks}
    rows = list(next(iter(results.values())))
    print(f"{'test error, %':44}" + "".join(f"{name:>10}" for name in results))
    for row in rows:
        print(f"{row:44}" + "".join(f"{result[row]:10.2f}" for result in results.values()))
    if arguments.json:
        write_json(
            {"machine": describe(), "arguments": {k: str(v) for k, v in vars(arguments).items()}, **results},
            arguments.json,
        )


def network(name: str, arguments: argparse.Namespace) -> dict[str, float]:
    """The errors of one network, by row."""
    data = datasets.load("mnist")
    x_train, x_test = (np.moveaxis(a, 1, -1).astype(np.float32) / 255 for a in (data.x_train, data.x_test))
    errors: dict[str, float] = {}
    for activation in ACTIVATIONS:
        start = time.perf_counter()
        keras_models.keras.utils.set_random_seed(0)
        model = keras_models.fit(
            keras_models.lenet(name, activation),
            x_train,
            data.y_train,
            epochs=arguments.epochs,
            batch=arguments.batch,
            learning_rate=arguments.learning_rate,
        )
        ann = keras_models.to_ann(model)
        (logits,) = start_quietly(ann.model).run(None, {ann.inputs[0].name: x_test})
        label = {"tanh": "Tanh", "sigmoid": "Sigmoid", "relu": "ReLU"}[activation]
        errors[label] = _error(logits.argmax(axis=1), data.y_test)
        print(f"{name} {label}: {errors[label]:.2f} %, {time.perf_counter() - start:.0f} s", flush=True)
    input = str(ann.inputs[0].name)
    converted = convert(ann, x_train[:256], neuron="lif", n_steps=arguments.steps).proto()
    test = {input: x_test}
    errors["LIF, converted, not trained"] = _error(classes(converted, test, arguments.steps), data.y_test)
    print(f"{name} LIF, not trained: {errors['LIF, converted, not trained']:.2f} %", flush=True)
    trained = train(
        converted,
        Samples({input: x_train}, data.y_train),
        Samples({input: x_train[-5000:]}, data.y_train[-5000:]),
        TrainingOptions(arguments.nengo_epochs, arguments.batch, 5e-4, SMOOTHING, n_steps=arguments.steps),
    ).model
    found = classes(trained, test, arguments.steps)
    errors["LIF"] = _error(found, data.y_test)
    errors["SoftLIFRate"] = _error(classes(as_rates(trained), test, 1), data.y_test)
    some = x_test[: arguments.nengo_samples]
    with DLSimulator(to_nengo_dl(trained), minibatch=100) as simulator:
        parts = [simulator.run({input: some[i : i + 1000]}, arguments.steps)[0] for i in range(0, len(some), 1000)]
    in_nengo = np.concatenate([next(iter(part.values()))[:, -1] for part in parts]).argmax(axis=1)
    errors[f"LIF in NengoDL, first {len(some)} images"] = _error(in_nengo, data.y_test[: len(some)])
    errors["images of another class in ONNX Runtime"] = float((in_nengo != found[: len(some)]).sum())
    print(f"{name} LIF {errors['LIF']:.2f} %, SoftLIFRate {errors['SoftLIFRate']:.2f} %", flush=True)
    return errors


def as_rates(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The model with SoftLIFRate in the place of LIF, for one step."""
    model = ir.from_proto(proto)
    n_steps = next(value for value in model.graph.inputs if value.name == "n_steps")
    set_constant(n_steps, np.asarray(1, np.int64))
    for node in [node for node in model.graph if node.op_type == "LIF"]:
        attributes = {name: node.attributes[name].value for name in ("tau_rc", "tau_ref")} | {"sigma": SMOOTHING}
        amplitude = constant_of(operand(node, "amplitude"))
        x = node.inputs[0]
        new = operator_node(
            model.graph, "SoftLIFRate", f"{node.name}_rate", x, n_steps, {"amplitude": amplitude}, attributes
        )
        model.graph.insert_after(node, new)
        for user, index in list(node.outputs[0].uses()):
            user.replace_input_with(index, new.outputs[0])
        model.graph.remove(node, safe=True)
    add_functions(model)
    return to_proto(model)


def _error(found: np.ndarray, labels: np.ndarray) -> float:
    return float(100 * (found != labels).mean())


if __name__ == "__main__":
    main()
