"""The service under load: right answers, times, bad requests, streams, replicas that are killed.

    python -m benchmarks.serving [load] [bad] [streams] [ray] [--model M.snn.onnx --data X.npz] [--requests N] [--out FILE.json]

load     32 clients send requests of 1 and of 32 samples as fast as they are answered, to a server with measured batches and to
         one without; beside them the same session alone. In turns, so that what disturbs the machine disturbs all; each answer
         is compared bit for bit with that of the session. Clients, written on sockets, and server share the cores. CPU seconds
         are those of the server's process, which other programs on the machine change little.
bad      100 bad requests: each gets the protocol's error, and the server lives.
streams  200 streams of 1,000 chunks at once, each answer compared with one stream of 200 samples; the server's memory
         meanwhile.
ray      two replicas of Ray Serve under load, of which one is killed again and again.

Without `--model` the embedded LeNet-5.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import describe, facts
from converter import convert, load_ann
from converter.demo import demo_samples
from snn_ops import Session

RESULTS = Path(__file__).parent / "results" / "serving" / "measured.json"
CLIENTS = 32
SIZES = (1, 32)
ROUNDS = 3
PARTS = ("load", "bad", "streams", "ray")
_HEADER = b"inference-header-content-length: "


@dataclass(frozen=True)
class Model:
    """A spiking model and samples for it."""

    path: Path
    name: str
    samples: np.ndarray


@dataclass
class Load:
    """What clients saw.

    Attributes:
        seconds: of each request that was answered.
        wrong: answers with other bits than the session's.
        errors: by what the client got in place of an answer.
    """

    seconds: list[float] = field(default_factory=list)
    wrong: int = 0
    errors: dict[str, int] = field(default_factory=dict)

    def failed(self, what: str) -> None:
        self.errors[what] = self.errors.get(what, 0) + 1


def main() -> int:
    """Measures what is asked for; 1 where something was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="default: all")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--chunks", type=int, default=1_000)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    results = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
    good = True
    with tempfile.TemporaryDirectory() as folder:
        model = given(arguments) if arguments.model else embedded(Path(folder))
        for part in arguments.parts or PARTS:
            load = os.getloadavg()[0]
            print(f"{part}: {describe()}, {load:.1f} processes wanted to run in the last minute", flush=True)
            found = {
                "load": lambda: measure_load(model, arguments.requests),
                "bad": lambda: send_bad(model),
                "streams": lambda: run_streams(Path(folder), arguments.streams, arguments.chunks),
                "ray": lambda: kill_replicas(model, arguments.kills),
            }[part]()
            entry = {"machine": facts(), "load_before": load, "load_after": os.getloadavg()[0], **found}
            results[f"{part}, {model.name}"] = entry
            arguments.out.write_text(json.dumps(results, indent=1) + "\n")
            good &= bool(found["good"])
            print(json.dumps(found, indent=1), flush=True)
    return 0 if good else 1


def embedded(folder: Path, *, streaming: bool = False) -> Model:
    """LeNet-5, with 256 test images."""
    with resources.as_file(resources.files("converter.demo") / "data" / "lenet5_relu.onnx") as source:
        ann = load_ann(source)
    path = folder / "lenet5.snn.onnx"
    convert(ann, demo_samples("calibration", ann.input_specs), streaming=streaming).save(path)
    (images,) = demo_samples("test", ann.input_specs).first(256).feed.values()
    return Model(path, "lenet5", images)


def given(arguments: argparse.Namespace) -> Model:
    """The model that was named, with its samples."""
    name = arguments.model.name.removesuffix(".snn.onnx")
    with np.load(arguments.data) as file:
        return Model(arguments.model, name, file["x"][:256])


# --- servers


@contextlib.contextmanager
def serving(model: Model, *options: str) -> Iterator[tuple[int, int, str]]:
    """A server in a process of its own: its process, its port, what it said."""
    command = [sys.executable, "-m", "converter.cli", "serve", str(model.path), "--name", model.name, *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    said = ""
    try:
        assert process.stderr is not None
        for line in process.stderr:
            said += line
            found = re.match(r"serving http://[^:]+:(\d+)/", line)
            if found:
                yield process.pid, int(found[1]), said
                break
        else:
            raise RuntimeError(f"the server did not start: {said}")
        process.send_signal(signal.SIGTERM)
        if process.wait(120) != 0:
            raise RuntimeError(f"the server ended with {process.returncode}")
    finally:
        process.kill()
        process.wait()


def cpu_seconds(pid: int) -> float:
    """That a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    """Memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# --- clients


def infer_request(name: str, x: np.ndarray, input_name: str) -> bytes:
    """A request with binary tensors, and binary answers."""
    tensor = {
        "name": input_name,
        "datatype": "FP32",
        "shape": list(x.shape),
        "parameters": {"binary_data_size": x.nbytes},
    }
    header = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    return http_request(name, header + x.tobytes(), f"Inference-Header-Content-Length: {len(header)}")


def http_request(name: str, body: bytes, *headers: str) -> bytes:
    """A request for an answer of the model."""
    lines = [f"POST /v2/models/{name}/infer HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Client(asyncio.Protocol):
    """Sends the next request when the last one is answered, and compares each answer."""

    def __init__(
        self, next_request: Callable[[], tuple[bytes, bytes] | None], load: Load, done: asyncio.Future[None]
    ) -> None:
        self._next, self._load, self._done = next_request, load, done
        self._received, self._expected, self._begin = b"", b"", 0.0
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            if self._expected:
                self._load.failed("connection lost")
            self._done.set_result(None)

    def _send(self) -> None:
        request = self._next()
        if request is None:
            self._expected = b""
            self._transport.close()
            return
        data, self._expected = request
        self._received, self._begin = b"", time.perf_counter()
        self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        if head[9:12] != b"200":
            self._load.failed(f"status {head[9:12].decode()}")
        else:
            self._load.seconds.append(time.perf_counter() - self._begin)
            self._load.wrong += not body.endswith(self._expected)
        if b"connection: close" in head.lower():
            self._expected = b""
            self._transport.close()
        else:
            self._send()


async def clients(
    port: int, requests: Sequence[tuple[bytes, bytes]], count: int, until: Callable[[], bool] | None = None
) -> Load:
    """So many requests by `CLIENTS` clients, or until it is told; a client that loses its connection opens another."""
    load, sent = Load(), 0

    def next_request() -> tuple[bytes, bytes] | None:
        nonlocal sent
        if sent >= count or (until is not None and until()):
            return None
        sent += 1
        return requests[sent % len(requests)]

    async def client() -> None:
        loop = asyncio.get_running_loop()
        while sent < count and not (until is not None and until()):
            done: asyncio.Future[None] = loop.create_future()
            try:
                await loop.create_connection(lambda: Client(next_request, load, done), "127.0.0.1", port)  # noqa: B023
            except OSError:
                load.failed("no connection")
                await asyncio.sleep(0.05)
                continue
            await done

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return load


# --- load


def measure_load(model: Model, requests: int) -> dict[str, Any]:
    """Throughput and times, with batches, without, and of the session alone."""
    session = Session(model.path)
    expected = session.run(model.samples)[0]
    alone = {size: [] for size in (1, 2, 4, 8, 16, 32, 64)}
    alone_cpu: dict[int, list[float]] = {size: [] for size in alone}
    rows: dict[tuple[str, int], list[dict[str, Any]]] = {}
    with serving(model, "--port", "0") as batched, serving(model, "--port", "0", "--batch", "1") as single:
        print(batched[2], flush=True)
        for _ in range(ROUNDS):
            for size, rates in alone.items():
                rate, cpu = session_rate(session, model.samples, size)
                rates.append(rate)
                alone_cpu[size].append(cpu)
            for size in SIZES:
                prepared = prepare(model, session, expected, size)
                for way, (pid, port, _) in (("batched", batched), ("batch 1", single)):
                    count = max(CLIENTS, requests // ROUNDS // (1 if size == 1 else 10))
                    rows.setdefault((way, size), []).append(one_load(pid, port, prepared, count, size))
    table = [summary(way, size, found) for (way, size), found in rows.items()]
    best = max(alone, key=lambda size: statistics.median(alone[size]))
    return {
        "server": batched[2].splitlines()[0],
        "alone_samples_per_second": {size: statistics.median(rates) for size, rates in alone.items()},
        "alone_cpu_microseconds_a_sample": {size: 1e6 * statistics.median(cpus) for size, cpus in alone_cpu.items()},
        "best_batch_alone": best,
        "served": table,
        "served_of_alone": {
            f"{row['way']}, {row['samples_a_request']} a request": row["samples_per_second"]
            / statistics.median(alone[best])
            for row in table
        },
        "good": all(row["wrong"] == 0 and row["lost"] == 0 and not row["errors"] for row in table),
    }


def prepare(model: Model, session: Session, expected: np.ndarray, size: int) -> list[tuple[bytes, bytes]]:
    """Requests, and what their answers end with."""
    (input_name,) = session.input_names
    starts = range(0, len(model.samples) - size + 1, size)
    parts = [slice(start, start + size) for start in starts]
    return [
        (infer_request(model.name, np.ascontiguousarray(model.samples[part]), input_name), expected[part].tobytes())
        for part in parts
    ]


def session_rate(session: Session, samples: np.ndarray, size: int, seconds: float = 0.7) -> tuple[float, float]:
    """Samples a second, and CPU seconds a sample."""
    begin, cpu, done = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - begin < seconds:
        start = done % (len(samples) - size + 1)
        session.run(samples[start : start + size])
        done += size
    return done / (time.perf_counter() - begin), (time.process_time() - cpu) / done


def one_load(pid: int, port: int, prepared: Sequence[tuple[bytes, bytes]], count: int, size: int) -> dict[str, Any]:
    """So many requests."""
    cpu, begin, own = cpu_seconds(pid), time.perf_counter(), time.process_time()
    load = asyncio.run(clients(port, prepared, count))
    seconds = time.perf_counter() - begin
    return {
        "load": load,
        "count": count,
        "rate": count * size / seconds,
        "cpu": (cpu_seconds(pid) - cpu) / count,
        "client_cpu": (time.process_time() - own) / count,
        "cores": (cpu_seconds(pid) - cpu + time.process_time() - own) / seconds,
    }


def summary(way: str, size: int, found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Of all rounds."""
    loads: list[Load] = [each["load"] for each in found]
    seconds = [second for load in loads for second in load.seconds]
    errors: dict[str, int] = {}
    for load in loads:
        for what, count in load.errors.items():
            errors[what] = errors.get(what, 0) + count
    requests = sum(each["count"] for each in found)
    return {
        "way": way,
        "samples_a_request": size,
        "requests": requests,
        "wrong": sum(load.wrong for load in loads),
        "lost": requests - len(seconds) - sum(errors.values()),
        "errors": errors,
        "samples_per_second": statistics.median(each["rate"] for each in found),
        "p50_milliseconds": 1e3 * float(np.percentile(seconds, 50)),
        "p99_milliseconds": 1e3 * float(np.percentile(seconds, 99)),
        "server_cpu_microseconds_a_request": 1e6 * statistics.median(each["cpu"] for each in found),
        "client_cpu_microseconds_a_request": 1e6 * statistics.median(each["client_cpu"] for each in found),
        "cores_used_by_both": statistics.median(each["cores"] for each in found),
    }


# --- bad requests


def bad_requests(model: Model, input_name: str) -> list[tuple[str, bytes]]:
    """100 of them: what is wrong, and the bytes."""
    x = model.samples[:1]
    good = {"name": input_name, "datatype": "FP32", "shape": list(x.shape), "data": x.reshape(-1).tolist()}

    def body(parameters: dict[str, object] | None = None, **changes: object) -> bytes:
        return json.dumps({"inputs": [{**good, **changes}], "parameters": parameters or {}}).encode()

    def binary(array: np.ndarray, size: int | None = None, header: int | None = None) -> bytes:
        tensor = {
            "name": input_name,
            "datatype": "FP32",
            "shape": list(x.shape),
            "parameters": {"binary_data_size": x.nbytes if size is None else size},
        }
        text = json.dumps({"inputs": [tensor]}).encode()
        length = len(text) if header is None else header
        return http_request(model.name, text + array.tobytes(), f"Inference-Header-Content-Length: {length}")

    rng, found = random.Random(0), []
    shapes: list[object] = [[], [1], [2, *x.shape[1:]], [10**18, 1], [-1], "x", None, [True], [0, *x.shape[1:]], [1.5]]
    found += [(f"shape {shape}", http_request(model.name, body(shape=shape))) for shape in shapes]
    types: list[object] = ["FP64", "FP16", "INT8", "BYTES", "fp32", "", None, 7, [], "BF16"]
    found += [(f"type {word}", http_request(model.name, body(datatype=word))) for word in types]
    numbers: list[object] = [float("nan"), float("inf"), 1e300, "1", None, "nan", [1], 10**400, {}, -float("inf")]
    found += [(f"number {n}", http_request(model.name, body(data=[n, *good["data"][1:]]))) for n in numbers]  # type: ignore[index]
    steps: list[object] = [10**9, 0, -1, 2**63, 1.5, "8", None, [], True, 10**30]
    found += [(f"T = {n}", http_request(model.name, body({"n_steps": n}))) for n in steps]
    found += [(f"cut to {n} bytes", binary(x.reshape(-1).view(np.uint8)[:n])) for n in (0, 1, 3, 100, x.nbytes - 1)]
    found += [(f"{n} bytes said", binary(x, size=n)) for n in (0, -4, 10**18, x.nbytes - 4, x.nbytes + 4)]
    found += [(f"JSON of {n} bytes said", binary(x, header=n)) for n in (0, 1, 2**30, 10**12, 20)]
    found += [
        ("NaN in binary", binary(np.full_like(x, np.nan))),
        ("infinity in binary", binary(np.full_like(x, np.inf))),
    ]
    huge = [f"Content-Length: {n}" for n in (2**30, 2**40, 10**17)]
    line = f"POST /v2/models/{model.name}/infer HTTP/1.1\r\nHost: x\r\n"
    found += [(h, f"{line}{h}\r\n\r\n".encode()) for h in huge]
    found += [("chunked", f"{line}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n".encode())]
    found += [
        ("unknown model", http_request("another", body())),
        ("unknown version", http_request(f"{model.name}/versions/9", body())),
    ]
    texts = [
        b"",
        b"{",
        b"[]",
        b"null",
        b"[" * 10**5,
        b"\xff\xfe",
        b'{"inputs": {}}',
        b'{"inputs": []}',
        b"9" * 10**5,
        b'{"a": "\\ud800"}',
    ]
    found += [(f"text {text[:20]!r}", http_request(model.name, text)) for text in texts]
    while len(found) < 100:
        text = bytearray(body())
        for _ in range(3):
            text[rng.randrange(60)] = rng.randrange(256)
        found.append((f"changed {bytes(text[:60])!r}", http_request(model.name, bytes(text))))
    return found[:100]


def send_bad(model: Model) -> dict[str, Any]:
    """Each of them, with slow clients beside; whether each got an error, and a good request the right answer after it."""
    session = Session(model.path)
    (input_name,) = session.input_names
    expected, statuses, unclear = session.run(model.samples[:1])[0].tobytes(), {}, []
    good = infer_request(model.name, np.ascontiguousarray(model.samples[:1]), input_name)
    wrong = 0
    with serving(model, "--port", "0", "--timeout", "3") as (pid, port, _):
        before = resident_bytes(pid)
        slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
        for index, each in enumerate(slow):
            each.sendall(good[: 10 + index * 7])
        for what, data in bad_requests(model, input_name):
            head, text = answer_of(port, data)
            statuses[head[9:12].decode()] = statuses.get(head[9:12].decode(), 0) + 1
            if head[9:10] != b"4" or not text.startswith(b'{"error"'):
                unclear.append(f"{what}: {head[:40]!r} {text[:80]!r}")
            head, text = answer_of(port, good)
            wrong += head[9:12] != b"200" or not text.endswith(expected)
        for each in slow:
            each.settimeout(30)
            with contextlib.suppress(OSError):
                each.recv(100)
            each.close()
        lives = answer_of(port, good)[1].endswith(expected)
        grown = resident_bytes(pid) - before
    return {
        "requests": sum(statuses.values()),
        "statuses": statuses,
        "without_the_protocols_error": unclear,
        "wrong_answers_to_good_ones_between": wrong,
        "grown_bytes": grown,
        "good": lives and not wrong and not unclear,
    }


def answer_of(port: int, data: bytes) -> tuple[bytes, bytes]:
    """Head and body."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(data)
        received = b""
        while part := connection.recv(1 << 16):
            received += part
            head, found, body = received.partition(b"\r\n\r\n")
            if found and len(body) >= int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0):
                return head, body
    return received, b""


# --- streams


class StreamClient(asyncio.Protocol):
    """Sends the next chunk when the last one is answered."""

    def __init__(
        self, chunks: Callable[[int], tuple[bytes, bytes] | None], name: str, done: asyncio.Future[int]
    ) -> None:
        self._chunks, self._name, self._done = chunks, name, done
        self._received, self._index, self._wrong, self._open, self._expected = b"", 0, 0, False, b""
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        lines = [
            f"GET /v2/models/{self._name}/stream HTTP/1.1",
            "Host: x",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
            "Sec-WebSocket-Version: 13",
        ]
        transport.write("\r\n".join([*lines, "", ""]).encode())

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(
                RuntimeError(f"a stream was lost at chunk {self._index}: {self._received[:200]!r}")
            )

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._open:
            head, found, rest = self._received.partition(b"\r\n\r\n")
            if not found:
                return
            assert head.startswith(b"HTTP/1.1 101"), head
            self._open, self._received = True, rest
            self._send()
            return
        while len(self._received) >= 4:
            kind, size, start = self._received[0], self._received[1], 2
            if size == 126:
                size, start = int.from_bytes(self._received[2:4], "big"), 4
            if len(self._received) < start + size:
                return
            body, self._received = self._received[start : start + size], self._received[start + size :]
            if kind == 0x89:  # a ping
                self._transport.write(bytes([0x8A, 0x80 | size, 0, 0, 0, 0]) + body)
                continue
            assert kind == 0x82, (kind, body[:200])
            self._wrong += not body.endswith(self._expected)
            self._send()

    def _send(self) -> None:
        chunk = self._chunks(self._index)
        if chunk is None:
            self._done.set_result(self._wrong)
            self._transport.close()
            return
        data, self._expected = chunk
        self._index += 1
        # a mask of zeros leaves the bytes as they are
        self._transport.write(b"\x82" + bytes([0x80 | 126]) + len(data).to_bytes(2, "big") + bytes(4) + data)


def run_streams(folder: Path, count: int, length: int) -> dict[str, Any]:
    """All at once, a step a chunk; the answers of one stream of as many samples are what they must be."""
    model = embedded(folder, streaming=True)
    session = Session(model.path)
    (input_name,) = session.input_names
    images = len(model.samples)
    order = [(np.arange(count) * 31 + chunk // 5) % images for chunk in range(length)]  # an image stays for 5 chunks
    stream, expected = session.stream(), []
    for which in order:
        expected.append(stream.run(model.samples[which], 1)[0])
    tensor = {
        "name": input_name,
        "datatype": "FP32",
        "shape": [1, *model.samples.shape[1:]],
        "parameters": {"binary_data_size": model.samples[0].nbytes},
    }
    header = json.dumps({"inputs": [tensor], "parameters": {"n_steps": 1}}).encode()
    messages = [len(header).to_bytes(4, "little") + header + image.tobytes() for image in model.samples]
    progress: list[int] = [0]
    memory: list[int] = []

    def chunks_of(index: int) -> Callable[[int], tuple[bytes, bytes] | None]:
        def chunk(number: int) -> tuple[bytes, bytes] | None:
            if number == length:
                return None
            progress[0] += 1
            return messages[order[number][index]], expected[number][index].tobytes()

        return chunk

    async def all_of_them(pid: int, port: int) -> int:
        loop = asyncio.get_running_loop()
        done: list[asyncio.Future[int]] = [loop.create_future() for _ in range(count)]
        for index in range(count):
            await loop.create_connection(
                lambda i=index: StreamClient(chunks_of(i), model.name, done[i]), "127.0.0.1", port
            )
        while not all(each.done() for each in done):
            if progress[0] >= (len(memory) + 1) * count * length // 10:
                memory.append(resident_bytes(pid))
            await asyncio.sleep(0.05)
        return sum(each.result() for each in done)

    with serving(model, "--port", "0", "--streams", str(count), "--batch", "1") as (pid, port, _):
        begin, cpu = time.perf_counter(), cpu_seconds(pid)
        wrong = asyncio.run(all_of_them(pid, port))
        seconds = time.perf_counter() - begin
        cpu = cpu_seconds(pid) - cpu
    grown = memory[-1] - memory[1] if len(memory) > 2 else 0
    return {
        "streams": count,
        "chunks_of_each": length,
        "wrong": wrong,
        "seconds": seconds,
        "chunks_per_second": count * length / seconds,
        "server_cpu_microseconds_a_chunk": 1e6 * cpu / (count * length),
        "resident_bytes_at_each_tenth": memory,
        "good": wrong == 0 and grown < 16 << 20,
    }


# --- Ray


def kill_replicas(model: Model, kills: int) -> dict[str, Any]:
    """Load, and every few seconds the end of a replica's process."""
    session = Session(model.path)
    prepared = prepare(model, session, session.run(model.samples)[0], 1)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    killed: list[int] = []
    options = ("--batch", "8", "--timeout", "120")  # a replica needs the time that the machine has for it
    with serving(model, "--port", str(port), "--engine", "ray", "--replicas", "2", *options) as (pid, _, _):

        async def under_load() -> Load:
            finished = False

            async def kill() -> None:
                nonlocal finished
                for _ in range(kills):
                    await asyncio.sleep(4 + random.random())
                    replicas = replicas_of(pid)
                    if replicas:
                        killed.append(random.choice(replicas))
                        os.kill(killed[-1], signal.SIGKILL)
                    until = time.monotonic() + 300
                    while len(replicas_of(pid)) < 2 and time.monotonic() < until:
                        await asyncio.sleep(0.5)
                await asyncio.sleep(5)
                finished = True

            killing = asyncio.ensure_future(kill())
            load = await clients(port, prepared, 10**9, lambda: finished)
            await killing
            return load

        load = asyncio.run(under_load())
        after = asyncio.run(clients(port, prepared, 500))
    errors = sum(load.errors.values())
    return {
        "replicas_killed": len(killed),
        "answers": len(load.seconds),
        "wrong": load.wrong + after.wrong,
        "errors": load.errors,
        "errors_a_kill": errors / max(1, len(killed)),
        "errors_after": after.errors,
        "p50_milliseconds": 1e3 * float(np.percentile(load.seconds, 50)),
        "p99_milliseconds": 1e3 * float(np.percentile(load.seconds, 99)),
        # a replica that dies takes the requests with it that it had: no more than there are clients, twice at a kill
        "good": len(killed) == kills
        and load.wrong + after.wrong == 0
        and errors <= 2 * CLIENTS * kills
        and not after.errors,
    }


def replicas_of(pid: int) -> list[int]:
    """Processes of replicas that belong to this server."""
    found, parents = [], {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                parents[int(folder.name)] = int(fields[1])
                if b"ray::ServeReplica" in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))

    def belongs(process: int) -> bool:
        while process > 1:
            if process == pid:
                return True
            process = parents.get(process, 0)
        return False

    return [process for process in found if belongs(process)]


if __name__ == "__main__":
    sys.exit(main())
