"""A ``torch.export`` file (.pt2) -> ONNX. ``python -m converter.normalise.frameworks.torch_export IN OUT``"""

from __future__ import annotations

import importlib
import sys

OPSET = 18


def main() -> None:
    """Exports argv[1] to argv[2]."""
    torch = importlib.import_module("torch")
    program = torch.export.load(sys.argv[1])
    torch.onnx.export(program, dynamo=True, opset_version=OPSET, external_data=False).save(sys.argv[2])


if __name__ == "__main__":
    main()
