"""Predictions of many shards: the same on Ray, in flat memory, every sample once whatever is killed (docs/scale.md).

    python -m benchmarks.scale same|memory|kills|cluster|overhead|throughput [--samples N] [--shards N] [--json OUT]

The network is a small convolutional one with weights from a seed, the images are random; what is measured is not accuracy.
Processes are killed by their number, and only those that this script started.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
from PIL import Image

import snn_ops
from benchmarks.machine import describe
from converter.conversion.main import convert
from converter.graph.run import start_quietly
from converter.io.preprocess import Preprocessing
from converter.io.shards import find, read
from converter.measure.instruments import with_sample_spikes

SHAPE = (3, 32, 32)
NETWORK = """<ir_version: 8, opset_import: ["" : 17]>
small (float[N,3,32,32] image) => (float[N,10] scores) {
  a = Conv<pads = [1, 1, 1, 1], strides = [2, 2]>(image, W1)
  b = Relu(a)
  c = Conv<pads = [1, 1, 1, 1], strides = [2, 2]>(b, W2)
  d = Relu(c)
  e = Conv<pads = [1, 1, 1, 1]>(d, W3)
  f = Add(e, c)
  g = Relu(f)
  h = GlobalAveragePool(g)
  i = Flatten(h)
  scores = MatMul(i, W4)
}"""
WEIGHTS = {"W1": (16, 3, 3, 3), "W2": (24, 16, 3, 3), "W3": (24, 24, 3, 3), "W4": (24, 10)}
STEPS = 4


def make(folder: Path, samples: int, shards: int) -> None:
    """The model, m.snn.onnx, and the images, d/*.npz."""
    rng = np.random.default_rng(0)
    model = onnx.parser.parse_model(NETWORK)
    for name, shape in WEIGHTS.items():
        scale = (2 / np.prod(shape[1:] if len(shape) > 2 else shape[:1])) ** 0.5
        model.graph.initializer.append(
            onnx.numpy_helper.from_array(rng.normal(0, scale, shape).astype(np.float32), name)
        )
    onnx.save(model, folder / "m.onnx")
    x = rng.uniform(0, 1, (64, *SHAPE)).astype(np.float32)
    convert(str(folder / "m.onnx"), x, code="rate", neuron="if", n_steps=STEPS).save(folder / "m.snn.onnx")
    write_images(folder / "d", samples, shards)


def write_images(folder: Path, samples: int, shards: int) -> None:
    folder.mkdir(exist_ok=True)
    for number in range(shards):
        rng = np.random.default_rng([1, number])
        count = samples * (number + 1) // shards - samples * number // shards
        x = rng.integers(0, 256, (count, *SHAPE), np.uint8).astype(np.float32) / 255
        np.savez(folder / f"{number:04}.npz", x=x, y=rng.integers(0, 10, count))


def command(folder: Path, out: str, *more: str, data: str = "d") -> list[str]:
    return [sys.executable, "-m", "converter.cli", "predict", str(folder / "m.snn.onnx"), "--data", str(folder / data), "-o",
            str(folder / out), "--threads", "1", *more]  # fmt: skip


def start(arguments: list[str]) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        arguments, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def finished(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"it failed with {process.returncode}: {said}")
    return said.strip()


def rows(folder: Path, out: str) -> Any:
    import pyarrow.parquet as pq

    return pq.read_table(folder / out).sort_by("key")


def keys_once(folder: Path, out: str, samples: int) -> bool:
    keys = rows(folder, out)["key"].to_pylist()
    return len(keys) == len(set(keys)) == samples


def descendants(pid: int) -> Iterator[tuple[int, str]]:
    """The processes that this one started, and those started by them, with their names."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                status = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(status[1]), []).append(int(entry.name))
    waiting = [pid]
    while waiting:
        for child in parents.get(waiting.pop(), []):
            waiting.append(child)
            try:
                yield child, Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ").strip()
            except OSError:
                continue


def workers(pid: int) -> list[int]:
    """Ray's actors among a process's descendants."""
    return [child for child, name in descendants(pid) if name.startswith("ray::MapWorker")]


def same(folder: Path, samples: int, shards: int) -> dict[str, Any]:
    """Local and Ray."""
    make(folder, samples, shards)
    said = {engine: finished(start(command(folder, engine, "--engine", engine))) for engine in ("local", "ray")}
    return {
        "samples": samples,
        "shards": shards,
        "identical": bool(rows(folder, "local").equals(rows(folder, "ray"))),
        "every key once": keys_once(folder, "ray", samples),
        "said": said,
    }


def memory(folder: Path, samples: int, shards: int) -> dict[str, Any]:
    """Peak memory of a run, and of one on ten times the data."""
    make(folder, samples, shards)
    write_images(folder / "d10", 10 * samples, 10 * shards)
    peaks = {}
    for data in ("d", "d10"):
        process = start(command(folder, f"out_{data}", "--no-spikes", data=data))
        peak = 0
        while process.poll() is None:
            try:
                words = Path(f"/proc/{process.pid}/status").read_text().split()
                peak = max(peak, int(words[words.index("VmHWM:") + 1]))
            except (OSError, ValueError):
                pass
            time.sleep(0.05)
        finished(process)
        peaks[data] = peak / 1024
    return {"samples": [samples, 10 * samples], "peak MiB": [round(peaks["d"], 1), round(peaks["d10"], 1)]}


def kills(
    folder: Path, samples: int, shards: int, drivers: int = 10, actors: int = 20, seed: int = 0
) -> dict[str, Any]:
    """The driver, killed at random moments in a local run and on Ray, and started again; Ray's actors, killed at random."""
    draw = random.Random(seed)
    make(folder, samples, shards)
    begun = time.monotonic()
    finished(start(command(folder, "whole")))
    whole = time.monotonic() - begun
    found: dict[str, Any] = {"samples": samples, "seconds of the single run": round(whole, 1)}
    done = _kill_drivers(folder, draw, drivers, 0.1 * whole)
    found["drivers killed"], found["shards done at each kill"] = len(done), done
    found["after drivers were killed"] = _compared(folder, "killed", samples)
    process = start(command(folder, "actors", "--engine", "ray"))
    found["actors killed"] = _kill_actors(process, lambda: workers(process.pid), draw, actors)
    finished(process)
    found["after actors were killed"] = _compared(folder, "actors", samples)
    process = start(command(folder, "ray", "--engine", "ray"))
    while len(list((folder / "ray").glob("*.parquet"))) < shards // 4 and process.poll() is None:
        time.sleep(0.1)
    ours = [pid for pid, _ in descendants(process.pid)]
    process.kill()
    process.wait()
    end = time.monotonic() + 120
    while any(_lives(pid) for pid in ours) and time.monotonic() < end:
        time.sleep(0.5)
    left = [name for pid, name in descendants(1) if pid in ours and _lives(pid)]
    found["Ray's processes left two minutes after its driver was killed"] = left
    finished(start(command(folder, "ray", "--engine", "ray")))
    found["after Ray's driver was killed"] = _compared(folder, "ray", samples)
    return found


def _kill_drivers(folder: Path, draw: random.Random, most: int, longest: float) -> list[int]:
    """Kills a local run, begun again each time, at random, after some more shards; tells the shards done at each kill."""
    done: list[int] = []
    while len(done) < most:
        process = start(command(folder, "killed"))
        wanted = _shards(folder, "killed") + draw.choice([0, 0, 1, 1, 2, 3])
        while process.poll() is None and _shards(folder, "killed") < wanted:
            time.sleep(0.01)
        time.sleep(draw.uniform(0, longest))
        if process.poll() is None:
            process.kill()
            process.wait()
            done.append(_shards(folder, "killed"))
        else:
            finished(process)
            shutil.rmtree(folder / "killed")  # it came to its end: begin anew
    finished(start(command(folder, "killed")))
    return done


def _shards(folder: Path, out: str) -> int:
    return len(list((folder / out).glob("*.parquet")))


def _lives(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _kill_actors(process: subprocess.Popen[str], alive: Callable[[], list[int]], draw: random.Random, most: int) -> int:
    """Kills one of the actors at random moments until there were so many, or the run is over."""
    killed = 0
    while killed < most and process.poll() is None:
        pids = alive()
        if pids and draw.random() < 0.5:
            try:
                os.kill(draw.choice(pids), signal.SIGKILL)
                killed += 1
            except ProcessLookupError:
                pass
        time.sleep(draw.uniform(0.2, 2))
    return killed


def _compared(folder: Path, out: str, samples: int) -> dict[str, bool]:
    return {
        "every key once": keys_once(folder, out, samples),
        "as the single run": bool(rows(folder, out).equals(rows(folder, "whole"))),
        "nothing half-written": not list((folder / out).glob(".*unfinished")),
    }


def cluster(folder: Path, samples: int, shards: int, nodes: int = 3, seed: int = 1) -> dict[str, Any]:
    """Several nodes of Ray on this machine; actors are killed at random, and one node with all that is on it."""
    from ray.cluster_utils import Cluster

    draw = random.Random(seed)
    os.environ.setdefault("RAY_worker_niceness", "0")  # Ray's own choice is 15
    make(folder, samples, shards)
    finished(start(command(folder, "whole")))
    here = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 100 << 20})
    others = [here.add_node(num_cpus=1, object_store_memory=100 << 20) for _ in range(nodes - 1)]
    before = set(workers(os.getpid()))
    process = start(command(folder, "out", "--engine", "ray", "--ray-address", here.address))
    while not list((folder / "out").glob("*.parquet")) and process.poll() is None:
        time.sleep(0.5)
    killed = _kill_actors(process, lambda: [pid for pid in workers(os.getpid()) if pid not in before], draw, 6)
    gone = process.poll() is None
    if gone:
        here.remove_node(others[0], allow_graceful=False)
    finished(process)
    here.shutdown()
    return {
        "nodes": nodes,
        "actors killed": killed,
        "a node killed": gone,
        "after all": _compared(folder, "out", samples),
    }


def overhead(folder: Path, samples: int, shards: int) -> dict[str, Any]:
    """Seconds of the same work here and on Ray's actors, as many as there are processors; Ray's start not counted."""
    from converter.engine.local import LocalEngine
    from converter.engine.ray import RayEngine
    from converter.serving.predict import predict
    from converter.spiking.model import SpikingModel

    make(folder, samples, shards)
    spiking, data = SpikingModel(folder / "m.snn.onnx"), find(folder / "d")
    seconds = {}
    engine = RayEngine()
    list(engine.map(_Nothing(), range(engine.workers)))
    for name, where, threads in (("local", LocalEngine(), None), ("ray", engine, 1)):
        found = predict(spiking, data, folder / name, engine=where, threads=threads, in_process=name == "local")
        seconds[name] = round(found.seconds, 2)
    return {
        "samples": samples,
        "shards": shards,
        "processors": os.cpu_count(),
        "load before": os.getloadavg()[0],
        "seconds": seconds,
        "ray / local": round(seconds["ray"] / seconds["local"], 3),
        "identical": bool(rows(folder, "local").equals(rows(folder, "ray"))),
    }


class Net:
    """An ONNX network put together layer by layer, with weights from a seed."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.channels, self.shape = shape[0], shape
        self.rng = np.random.default_rng(0)

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(onnx.helper.make_node(op, inputs, [name], name=f"n{len(self.nodes)}", **attributes))
        return name

    def weight(self, *shape: int) -> str:
        name = f"w{len(self.weights)}"
        scale = (2 / np.prod(shape[1:])) ** 0.5
        self.weights.append(onnx.numpy_helper.from_array(self.rng.normal(0, scale, shape).astype(np.float32), name))
        return name

    def conv(self, x: str, out: int, size: tuple[int, int], stride: int = 1, *, depthwise: bool = False) -> str:
        pads = [size[0] // 2, size[1] // 2, (size[0] - 1) // 2, (size[1] - 1) // 2]
        group = self.channels if depthwise else 1
        w = self.weight(out, self.channels // group, *size)
        self.channels = out
        return self.add("Conv", x, w, pads=pads, strides=[stride, stride], group=group)

    def model(self, x: str, classes: int) -> onnx.ModelProto:
        pooled = self.add("Flatten", self.add("GlobalAveragePool", x))
        scores = self.add("Gemm", pooled, self.weight(classes, self.channels), transB=1)
        kinds = [
            onnx.helper.make_tensor_value_info(name, 1, ["N", *shape])
            for name, shape in (("x", self.shape), (scores, (classes,)))
        ]
        graph = onnx.helper.make_graph(self.nodes, "net", kinds[:1], kinds[1:], self.weights)
        return onnx.helper.make_model(graph, ir_version=8, opset_imports=[onnx.helper.make_opsetid("", 17)])


def resnet18() -> onnx.ModelProto:
    """ResNet-18's layers for 224 x 224 pixels, without normalisation: 1.8 G multiply-adds."""
    net = Net((3, 224, 224))
    x = net.add("Relu", net.conv("x", 64, (7, 7), 2))
    x = net.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    for channels, stride in ((64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1)):
        before = net.channels
        y = net.add("Relu", net.conv(x, channels, (3, 3), stride))
        y = net.conv(y, channels, (3, 3))
        if before != channels:
            net.channels = before
            x = net.conv(x, channels, (1, 1), stride)
        x = net.add("Relu", net.add("Add", x, y))
    return net.model(x, 1000)


def dscnn() -> onnx.ModelProto:
    """The keyword spotter of MLPerf Tiny on a second of sound, 49 x 10 coefficients: 2.7 M multiply-adds."""
    net = Net((1, 49, 10))
    x = net.add("Relu", net.conv("x", 64, (10, 4), 2))
    for _ in range(4):
        x = net.add("Relu", net.conv(x, 64, (3, 3), depthwise=True))
        x = net.add("Relu", net.conv(x, 64, (1, 1)))
    return net.model(x, 12)


def throughput(folder: Path, samples: int, shards: int) -> dict[str, Any]:
    """Processor seconds of a sample with one thread, and of reading it: they count what a shared machine lets others do out."""
    found: dict[str, Any] = {"machine": describe(), "load": os.getloadavg()[0]}
    for name, proto, count in (("keyword spotter, 1 s", dscnn(), 64), ("ResNet-18, 224 x 224", resnet18(), 4)):
        shape = tuple(d.dim_value for d in proto.graph.input[0].type.tensor_type.shape.dim[1:])
        x = np.random.default_rng(0).uniform(0, 1, (max(count, 16), *shape)).astype(np.float32)
        onnx.save(proto, folder / "big.onnx")
        conversion = convert(str(folder / "big.onnx"), x[:16], code="delta", n_steps=STEPS)
        conversion.save(folder / "big.snn.onnx")
        seconds = {}
        trained = start_quietly(proto, threads=1)
        plain, counted = (
            snn_ops.Session(model, threads=1) for model in (conversion.proto(), with_sample_spikes(conversion.proto()))
        )
        runs: dict[str, Callable[[np.ndarray], Any]] = {
            "trained": partial(_run_trained, trained),
            "spiking": plain.run,
            "counted": counted.run,
        }
        for what, run in runs.items():
            run(x[:1])
            begun = time.process_time()
            run(x[:count])
            seconds[what] = (time.process_time() - begun) / count
        np.savez(folder / "big.npz", x=x)
        begun = time.process_time()
        for shard in find(folder / "big.npz").shards:
            for _ in read(shard, {"x": ["N", *shape]}):
                pass
        seconds["reading"] = (time.process_time() - begun) / len(x)
        found[name] = {
            "multiply-adds": conversion.totals().multiply_adds,
            "steps": STEPS,
            "processor milliseconds a sample": {what: round(1000 * each, 4) for what, each in seconds.items()},
            "samples a core and second": round(1 / seconds["counted"], 2),
        }
    (folder / "jpeg").mkdir()
    smooth = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    for number in range(20):
        Image.fromarray(smooth).resize((500, 375)).save(folder / "jpeg" / f"{number}.jpg", quality=90)
    begun = time.process_time()
    for shard in find(folder / "jpeg").shards:
        for _ in read(shard, {"x": ["N", 3, 224, 224]}, Preprocessing(size=(224, 224))):
            pass
    found["a JPEG of 500 x 375 pixels, to 224 x 224"] = {
        "processor milliseconds": round(50 * (time.process_time() - begun), 2)
    }
    return found


def _run_trained(session: Any, x: np.ndarray) -> Any:
    return session.run(None, {"x": x})


class _Nothing:
    """Work that is none: Ray's actors are started once before the time is taken."""

    def __call__(self) -> Callable[[int], int]:
        return lambda item: item


COMMANDS: dict[str, Callable[..., dict[str, Any]]] = {
    "same": same,
    "memory": memory,
    "kills": kills,
    "cluster": cluster,
    "overhead": overhead,
    "throughput": throughput,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--shards", type=int, default=40)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        found = COMMANDS[arguments.command](folder, arguments.samples, arguments.shards)
    text = json.dumps(found, indent=1)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
