"""The embedded LeNet-5 on the full MNIST test set: ``python -m benchmarks.lenet5``. Needs MNIST (`tools/fetch_datasets.sh`)."""

from __future__ import annotations

import tempfile
from importlib import resources
from pathlib import Path

import numpy as np

from benchmarks import datasets
from benchmarks.machine import describe
from converter import Options, SpikingModel, convert, evaluate, load_ann
from converter.io.samples import check_samples

STEPS = (4, 8, 16, 32)


def main() -> None:
    data = datasets.load("mnist")
    x_calibration, x_test = (array.astype(np.float32) / 255 for array in (data.x_train[:256], data.x_test))
    print(describe())
    print("points of accuracy lost on the 10,000 test images, calibrated on 256 training images for T = 32")
    print(f"{'model':14} {'neuron':12} {'trained':>8} " + " ".join(f"{f'T = {t}':>8}" for t in STEPS))
    for activation in ("relu", "tanh"):
        with resources.as_file(resources.files("converter.demo") / "data" / f"lenet5_{activation}.onnx") as path:
            ann = load_ann(path)
        samples = check_samples({"x": x_test, "y": data.y_test}, ann.input_specs)
        for neuron in ("auto", "if", "lif"):
            conversion = convert(ann, x_calibration, options=Options(neuron=neuron))
            with tempfile.TemporaryDirectory() as folder:
                conversion.save(Path(folder) / "m.snn.onnx")
                result = evaluate(SpikingModel(Path(folder) / "m.snn.onnx"), samples, STEPS, against=ann)
            assert result.ann_accuracy is not None
            lost = [100 * (result.ann_accuracy - step.accuracy) for step in result.steps if step.accuracy is not None]
            print(
                f"{activation:14} {conversion.recipe.neuron:12} {result.ann_accuracy:8.2%} "
                + " ".join(f"{points:8.2f}" for points in lost)
            )


if __name__ == "__main__":
    main()
