"""Trains the LeNet-5 that `onnx-snn demo` converts, and writes its ONNX files and the demo's data.

    tools/fetch_datasets.sh .data mnist
    pip install -e '.[train]'
    python -m examples.train_lenet5            # both activations, writes into converter/demo/data

LeNet-5 (Y. LeCun et al., Proc. IEEE 86(11), 1998) with average pooling, as both papers use it: two convolutions of 6 and 16
filters of 5x5, three dense layers of 120, 84 and 10. Images are pixels / 255. Training on all 60,000 images, each shifted by
up to 2 pixels at random; the weights after the last epoch are kept, whatever their test accuracy. With the pinned PyTorch
and two threads the weights are the same in every run on the same processor type.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks import datasets

SEED = 0
ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh}


def lenet5(activation: type[nn.Module]) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2),
        activation(),
        nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5),
        activation(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120),
        activation(),
        nn.Linear(120, 84),
        activation(),
        nn.Linear(84, 10),
    )


def shifted(images: torch.Tensor, most: int = 2) -> torch.Tensor:
    """The batch, moved by the same random number of pixels in each direction."""
    dy, dx = (int(torch.randint(-most, most + 1, ())) for _ in range(2))
    return F.pad(images, (most + dx, most - dx, most + dy, most - dy))[..., most:-most, most:-most]


def accuracy(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    model.eval()
    with torch.no_grad():
        return float((torch.cat([model(batch) for batch in x.split(1000)]).argmax(1) == y).float().mean())


def train(name: str, data: datasets.Dataset, epochs: int) -> tuple[nn.Module, float]:
    torch.manual_seed(SEED)
    model = lenet5(ACTIVATIONS[name])
    x, y = torch.tensor(data.x_train) / 255, torch.tensor(data.y_train)
    x_test, y_test = torch.tensor(data.x_test) / 255, torch.tensor(data.y_test)
    batch = 64
    optimiser = torch.optim.Adam(model.parameters(), weight_decay=1e-5)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=3e-3, total_steps=epochs * (len(x) // batch), pct_start=0.2
    )
    for epoch in range(epochs):
        model.train()
        for index in torch.randperm(len(x))[: len(x) // batch * batch].split(batch):
            optimiser.zero_grad()
            F.cross_entropy(model(shifted(x[index])), y[index]).backward()
            optimiser.step()
            schedule.step()
        print(f"{name} epoch {epoch + 1}/{epochs}: test accuracy {accuracy(model, x_test, y_test):.4f}", flush=True)
    return model, accuracy(model, x_test, y_test)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("converter/demo/data"))
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    torch.use_deterministic_algorithms(True)
    arguments.out.mkdir(parents=True, exist_ok=True)
    data = datasets.load("mnist")
    for name in ACTIVATIONS:
        model, test_accuracy = train(name, data, arguments.epochs)
        program = torch.onnx.export(
            model.eval(),
            (torch.zeros(2, 1, 28, 28),),
            dynamo=True,
            opset_version=18,
            input_names=["image"],
            output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
        )
        program.model.doc_string = (
            f"LeNet-5 ({name}) on MNIST, test accuracy {test_accuracy:.4f}; examples/train_lenet5.py"
        )
        for node in program.model.graph:
            node.metadata_props.clear()
            node.meta.clear()
        program.save(arguments.out / f"lenet5_{name}.onnx")
    # the first images of each set, uint8, as the demo reads them
    np.savez_compressed(arguments.out / "mnist_test.npz", x=data.x_test[:1000], y=data.y_test[:1000].astype(np.uint8))
    np.savez_compressed(
        arguments.out / "mnist_calibration.npz", x=data.x_train[:256], y=data.y_train[:256].astype(np.uint8)
    )


if __name__ == "__main__":
    main()
