"""Time of SpikingJelly's neurons, and of the VGG of `benchmarks.vgg` with them.

``python -m benchmarks.spikingjelly_speed IMPLEMENTATION``; `benchmarks.gpu` runs it beside ONNX-SNN.

One implementation a process (torch, cupy, triton or cuda), since SpikingJelly 2 chooses it once, from the environment. Prints
JSON; ends with a one-line reason and exit code 1 where the installed SpikingJelly has no such implementation.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import inspect
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from benchmarks import vgg

if TYPE_CHECKING:
    import torch

REPEATS = 15


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("implementation", choices=["torch", "cupy", "triton", "cuda"])
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--neurons", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    arguments = parser.parse_args()
    for neuron in ("IF", "LIF"):
        os.environ[f"SJ_{neuron}_CUDA_IMPLEMENTATION"] = arguments.implementation
    try:
        print(json.dumps(measure(arguments)))
    except Exception as error:
        lines = str(error).splitlines() or [""]
        sys.exit(f"{type(error).__name__}: {lines[0]}")


def measure(arguments: argparse.Namespace) -> dict[str, object]:
    import torch
    from spikingjelly.activation_based import functional

    device = torch.device(arguments.device)
    torch.backends.cuda.matmul.allow_tf32 = True  # as ONNX Runtime and cuDNN's convolutions do
    options = neuron_options(arguments.implementation)
    result: dict[str, object] = {"version": importlib.metadata.version("spikingjelly"), "torch": torch.__version__}
    with torch.inference_mode():
        currents = torch.rand(arguments.steps, arguments.neurons, device=device) * 3

        def run_neuron(node: torch.nn.Module) -> None:
            functional.reset_net(node)
            node(currents)

        for kind in ("IFNode", "LIFNode"):
            result[kind] = milliseconds(partial(run_neuron, make_neuron(kind, device, options)), device)
        result["vgg"] = milliseconds(vgg_run(device, arguments.batch, arguments.steps, options), device)
    return result


def neuron_options(implementation: str) -> dict[str, str]:
    """Arguments of SpikingJelly's neurons. SpikingJelly 2 takes the implementation from the environment instead."""
    from spikingjelly.activation_based import neuron

    if "backend" in inspect.signature(neuron.IFNode.__init__).parameters:
        return {"backend": implementation}
    if implementation == "cupy":
        raise RuntimeError(f"SpikingJelly {importlib.metadata.version('spikingjelly')} has no CuPy implementation")
    return {}


def make_neuron(kind: str, device: torch.device, options: dict[str, str]) -> torch.nn.Module:
    from spikingjelly.activation_based import neuron

    return getattr(neuron, kind)(v_reset=None, step_mode="m", **options).to(device).eval()


def vgg_run(device: torch.device, batch: int, steps: int, options: dict[str, str]) -> Callable[[], None]:
    """A run of `benchmarks.vgg` with SpikingJelly's neurons; as our converter places time: the first convolution and the last
    layer once."""
    import torch
    from spikingjelly.activation_based import functional

    tensors = [torch.from_numpy(array).to(device) for array in vgg.weights()]
    nodes = [make_neuron("IFNode", device, options) for layer in vgg.LAYERS if layer != "pool"]
    images = torch.rand(batch, *vgg.IMAGE, device=device)

    def run() -> None:
        x, used = images, 0
        for layer in vgg.LAYERS:
            if layer == "pool":
                x = torch.nn.functional.avg_pool2d(x, 2)
                continue
            x = torch.nn.functional.conv2d(x, tensors[used], padding=1)
            through_time = x.expand(steps, *x.shape).contiguous() if used == 0 else x.unflatten(0, (steps, -1))
            functional.reset_net(nodes[used])
            x = nodes[used](through_time).flatten(0, 1)
            used += 1
        x.unflatten(0, (steps, -1)).mean(0).flatten(1) @ tensors[used].T

    return run


def milliseconds(run: Callable[[], object], device: torch.device) -> float:
    """The median time of a run."""
    import torch

    def synchronize() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize()

    times = []
    for _ in range(REPEATS + 2):
        synchronize()
        start = time.perf_counter()
        run()
        synchronize()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times[2:])


if __name__ == "__main__":
    main()
