"""Examples that ``--help`` of a command shows. Tests run each of them, as it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

EXAMPLES: Mapping[str, Sequence[str]] = {
    "check": (
        "onnx-snn check model.onnx",
        "onnx-snn check model.onnx --neuron lif --json check.json",
        "onnx-snn check models/",
    ),
    "convert": (
        "onnx-snn convert model.onnx --calibration samples.npz",
        "onnx-snn convert model.onnx --calibration samples.npz --max-error 10 --report report.html",
        "onnx-snn convert model.onnx --calibration samples.npz --neuron lif --steps 32 -o lif.snn.onnx",
    ),
    "run": ("onnx-snn run model.snn.onnx --input test.npz -o outputs.npz",),
    "evaluate": (
        "onnx-snn evaluate model.snn.onnx --data test.npz",
        "onnx-snn evaluate model.snn.onnx --data test.npz --against model.onnx --steps 2,4,8 --json result.json",
    ),
    "predict": ("onnx-snn predict model.snn.onnx --data test.npz -o outputs",),
    "serve": ("onnx-snn serve model.snn.onnx --port 8080",),
    "bench": (
        "onnx-snn bench model.snn.onnx --batch 1 --seconds 0.1",
        "onnx-snn bench model.snn.onnx --data test.npz --batch 1 --seconds 0.1 --profile",
    ),
    "inspect": ("onnx-snn inspect model.snn.onnx", "onnx-snn inspect model.onnx --json -"),
    "view": ("onnx-snn view model.snn.onnx", "onnx-snn view model.snn.onnx --port 8080 --no-browser"),
    "plot raster": ("onnx-snn plot raster model.snn.onnx --data test.npz -o raster.png",),
    "plot voltage": ("onnx-snn plot voltage model.snn.onnx --data test.npz --sample 7 -o voltage.svg",),
    "plot rates": ("onnx-snn plot rates model.snn.onnx --data test.npz -o rates.png",),
    "plot accuracy": ("onnx-snn plot accuracy model.snn.onnx --data test.npz -o accuracy.png",),
    "plot energy": ("onnx-snn plot energy model.snn.onnx --data test.npz -o energy.png",),
    "export nengo": ("onnx-snn export nengo model.snn.onnx -o model.py",),
    "export npz": ("onnx-snn export npz model.snn.onnx -o weights.npz",),
    "import-weights": ("onnx-snn import-weights weights.npz model.snn.onnx -o new.snn.onnx",),
    "train": ("onnx-snn train model.snn.onnx --data train.npz -o trained.snn.onnx --epochs 1",),
    "verify": ("onnx-snn verify model.snn.onnx --data test.npz --samples 2",),
    "demo": ("onnx-snn demo", "onnx-snn demo --activation tanh --out tanh-demo"),
    "doctor": ("onnx-snn doctor", "onnx-snn doctor --json -"),
}
"""By command."""


def examples(command: str) -> str:
    """What stands below a command's options."""
    lines = EXAMPLES[command]
    return "\n".join([f"Example{'s' if len(lines) > 1 else ''}:", "", "\b", *(f"  {line}" for line in lines)])
