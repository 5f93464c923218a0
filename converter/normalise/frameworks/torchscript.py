"""A TorchScript file -> ONNX.

``python -m converter.normalise.frameworks.torchscript IN OUT LENGTH...``, the lengths of a sample."""

from __future__ import annotations

import importlib
import sys

OPSET = 18


def main() -> None:
    """Exports argv[1] to argv[2]."""
    torch = importlib.import_module("torch")
    model = torch.jit.load(sys.argv[1], map_location="cpu").eval()
    example = torch.zeros(1, *map(int, sys.argv[3:]))
    torch.onnx.export(
        model,
        (example,),
        sys.argv[2],
        dynamo=False,
        opset_version=OPSET,
        input_names=["input"],
        output_names=["output"],
        dynamic_axes={"input": {0: "batch"}, "output": {0: "batch"}},
    )


if __name__ == "__main__":
    main()
