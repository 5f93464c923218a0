"""The CUDA kernels without ONNX Runtime: building kernels.cu, and a device for `snn_ops.cupy_ops.bind` that runs them.

``python -m tools.gpu.library OUT [--architecture 90] [--host]`` builds the library, for a GPU by nvcc, or for the host's
processor on the stand-in for the CUDA runtime (tools/gpu_rehearsal), whose "device" crashes who reads it without a copy.
"""

from __future__ import annotations

import argparse
import ctypes
import functools
import math
import os
import re
import shutil
import subprocess
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from snn_ops.cupy_ops import TemporalCall
from snn_ops.ops import Attributes, Kernel, arithmetic

ROOT = Path(__file__).parents[2]
SOURCE = Path(__file__).with_name("kernels.cu")
REHEARSAL = ROOT / "tools" / "gpu_rehearsal"
TOOLKITS = ("/usr/local/cuda", "/usr/local/cuda-*", "/opt/cuda", "/usr/lib/cuda")
"""Where the CUDA toolkit is, when nvcc on the PATH does not tell."""

ELEMENTS = {np.dtype(np.float32): 0, np.dtype(np.float16): 1}
"""kernels/temporal.h, Element."""
POISON = 0x7FFD
"""16 bits that no kernel writes: twice as float32, or once as float16, a NaN with a payload of its own."""
GUARD = 512
"""Bytes of poison before and behind every array, so that a store beside it is found."""


class DeviceError(RuntimeError):
    """The CUDA runtime refused something."""


def toolkit_headers() -> Path | None:
    """The folder of cuda_runtime_api.h, of the toolkit of nvcc or where toolkits usually are; None without one."""
    nvcc = shutil.which("nvcc")
    beside = [Path(nvcc).resolve().parents[1] / "include"] if nvcc else []
    usual = [found / "include" for place in TOOLKITS for found in sorted(Path("/").glob(place[1:]), reverse=True)]
    return next((folder for folder in (*beside, *usual) if (folder / "cuda_runtime_api.h").exists()), None)


def build_for_gpu(target: Path, architecture: int, kernels: Path = ROOT / "kernels") -> None:
    """With nvcc, machine code for this one architecture (90: compute capability 9.0)."""
    code = f"-gencode=arch=compute_{architecture},code=sm_{architecture}"
    options = ["-std=c++17", "-O3", "-fmad=false", code, "-Xcompiler", "-fPIC", "-shared", f"-I{kernels}"]
    nvcc = shutil.which("nvcc", path=f"{os.environ.get('PATH', '')}:/usr/local/cuda/bin") or "nvcc"
    subprocess.run([nvcc, *options, "-o", str(target), str(SOURCE)], check=True)


def build_for_host(target: Path, headers: Path, kernels: Path = ROOT / "kernels") -> None:
    """With the host's compiler, on the stand-in for the CUDA runtime. A product and a sum that math::fma makes one rounding
    are one here too where the processor can, as in the CPU kernels."""
    processor = Path("/proc/cpuinfo")
    has_fma = processor.exists() and " fma " in processor.read_text()
    options = ["-std=c++17", "-O2", "-ffp-contract=off", "-fPIC", "-shared", "-w", "-Wl,-Bsymbolic"]
    folders = [f"-I{REHEARSAL / 'include'}", "-isystem", str(headers), f"-I{kernels}"]
    sources = ["-x", "c++", str(SOURCE), str(REHEARSAL / "cudart.cc")]
    compiler = os.environ.get("CXX", "c++")
    subprocess.run(
        [compiler, *options, *(["-mfma"] if has_fma else []), *folders, "-o", str(target), *sources], check=True
    )


@functools.cache
def variant_numbers() -> dict[str, int]:
    """Of the compiled neurons, by name."""
    text = (ROOT / "kernels" / "generated" / "variants.h").read_text()
    return {name: number for number, name in enumerate(re.findall(r"^ +X\((\w+), ", text, re.MULTILINE))}


class Array:
    """Device memory with poison around it."""

    def __init__(self, device: Device, shape: Sequence[int], dtype: np.dtype, *, shifted: bool) -> None:
        self.shape, self.dtype = tuple(shape), np.dtype(dtype)
        self.nbytes = math.prod(self.shape) * self.dtype.itemsize
        self._before = GUARD + (self.dtype.itemsize if shifted else 0)
        self._size = -(-(self._before + self.nbytes + GUARD) // 2) * 2
        self._device = device
        self._begin = device.take(self._size)
        self.poison()

    def __del__(self) -> None:
        self._device.free(self._begin)

    @property
    def address(self) -> int:
        """Of the first element."""
        return self._begin + self._before

    def poison(self) -> None:
        """All of it, as if nobody had written it yet."""
        self._device.call("gpu_fill", ctypes.c_void_p(self._begin), POISON, ctypes.c_int64(self._size // 2))

    def words(self, begin: int = 0, end: int | None = None) -> np.ndarray:
        """Its 16-bit words from byte `begin` to byte `end`, without the guards."""
        count = (self.nbytes if end is None else min(end, self.nbytes)) - begin
        found = np.empty(count // 2, np.uint16)
        self._device.download_bytes(found, self.address + begin)
        return found

    def numpy(self) -> np.ndarray:
        """A copy in host memory."""
        return self.words().view(self.dtype).reshape(self.shape)

    def guards_are_whole(self) -> bool:
        """Nobody wrote beside it."""
        everything = np.empty(self._size // 2, np.uint16)
        self._device.download_bytes(everything, self._begin)
        inside = slice(self._before // 2, (self._before + self.nbytes) // 2)
        everything[inside] = POISON
        return bool((everything == POISON).all())


def unwritten(array: np.ndarray) -> int:
    """How many of its elements are still poison."""
    words = np.ascontiguousarray(array).view(np.uint16).reshape(array.size, array.itemsize // 2)
    return int((words == POISON).all(axis=1).sum())


class Device:
    """The GPU, or the stand-in for one, as `snn_ops.cupy_ops.bind` wants it. An upload of an array that repeats one number
    along all axes takes no room on the host.

    Attributes:
        library: the loaded one.
        description: what it is.
        available: bytes that were free at the start.
        shifted: put new arrays one element behind a round address, so that loads of several elements cannot be aligned.
        variant: the compiled neuron to run in place of the one that the operator names, or None.

    Raises:
        DeviceError: it could not be started.
        OSError: the library could not be loaded.
    """

    def __init__(self, library: Path) -> None:
        self.library = ctypes.CDLL(str(library.resolve()))
        self.shifted, self.variant = False, None
        self._arrays: weakref.WeakValueDictionary[int, Array] = weakref.WeakValueDictionary()
        text, available = ctypes.create_string_buffer(200), ctypes.c_uint64()
        self.call("gpu_describe", text, ctypes.c_size_t(len(text)), ctypes.byref(available))
        self.description, self.available = text.value.decode(), available.value

    shifted: bool
    variant: str | None

    def call(self, name: str, *arguments: Any) -> None:
        """A function of kernels.cu.

        Raises:
            DeviceError: with its words.
        """
        function = getattr(self.library, name)
        function.restype = ctypes.c_char_p
        said = function(*arguments)
        if said is not None:
            raise DeviceError(f"{name}: {said.decode()}")

    def take(self, n_bytes: int) -> int:
        """Memory; its address."""
        found = ctypes.c_void_p()
        self.call("gpu_take", ctypes.byref(found), ctypes.c_uint64(n_bytes))
        return int(found.value or 0)

    def free(self, address: int) -> None:
        """Gives memory back."""
        self.call("gpu_free", ctypes.c_void_p(address))

    def download_bytes(self, to: np.ndarray, address: int) -> None:
        """Fills the array."""
        self.call("gpu_download", ctypes.c_void_p(to.ctypes.data), ctypes.c_void_p(address), ctypes.c_uint64(to.nbytes))

    def upload(self, array: np.ndarray) -> Array:
        """A copy, contiguous."""
        found = Array(self, array.shape, array.dtype, shifted=self.shifted)
        if array.size > 1 and not any(array.strides):
            self.draw(found, float(array.flat[0]), float(array.flat[0]))
        else:
            source = np.ascontiguousarray(array)
            pointers = ctypes.c_void_p(found.address), ctypes.c_void_p(source.ctypes.data)
            self.call("gpu_upload", *pointers, ctypes.c_uint64(source.nbytes))
        return found

    def empty(self, shape: tuple[int, ...], dtype: np.dtype) -> Array:
        """Room, poisoned."""
        return Array(self, shape, dtype, shifted=self.shifted)

    def address(self, array: Array) -> int:
        """Where the device sees it."""
        self._arrays[array.address] = array
        return array.address

    def array_at(self, address: int) -> Array:
        """The array whose address was asked for."""
        return self._arrays[address]

    def download(self, array: Array) -> np.ndarray:
        """A copy in host memory."""
        return array.numpy()

    def launch(self, kernel: Kernel, attributes: Attributes, element: np.dtype, call: TemporalCall) -> None:
        """Enqueues the operator's kernel."""
        computes_in = np.dtype(arithmetic(element))
        constants = kernel.packed(attributes, computes_in)
        variant = variant_numbers()[self.variant or kernel.variant(attributes, computes_in)]
        pointers = ctypes.byref(call), ctypes.c_void_p(constants.ctypes.data)
        self.call("gpu_walk", variant, ELEMENTS[element], *pointers)

    def repeat(self, x: Array, y: Array, n_steps: int) -> None:
        """Enqueues the kernel of TimeRepeat."""
        sizes = ctypes.c_int64(n_steps), ctypes.c_int64(math.prod(x.shape))
        self.call("gpu_repeat", ELEMENTS[x.dtype], ctypes.c_void_p(x.address), ctypes.c_void_p(y.address), *sizes)

    def draw(self, array: Array, low: float, high: float, seed: int = 0) -> None:
        """Fills it with random numbers, made there."""
        limits = ctypes.c_float(low), ctypes.c_float(high)
        sizes = ctypes.c_uint64(seed), ctypes.c_int64(math.prod(array.shape))
        self.call("gpu_draw", ELEMENTS[array.dtype], ctypes.c_void_p(array.address), *limits, *sizes)

    def copy(self, to: Array, source: Array) -> None:
        """Enqueues a copy of all its bytes."""
        self.call("gpu_copy", ctypes.c_void_p(to.address), ctypes.c_void_p(source.address), ctypes.c_uint64(to.nbytes))

    def synchronize(self) -> None:
        """Until all that was enqueued is done."""
        self.call("gpu_synchronize")

    def milliseconds(self, run: Callable[[], None], times: int) -> list[float]:
        """Of each of so many runs in a row, by events on the device: at most 63."""
        self.call("gpu_mark", 0)
        for index in range(times):
            run()
            self.call("gpu_mark", index + 1)
        found, result = ctypes.c_float(), []
        for index in range(times):
            self.call("gpu_milliseconds", index, index + 1, ctypes.byref(found))
            result.append(found.value)
        return result

    def captured(self, run: Callable[[], None]) -> Callable[[], None]:
        """What `run` enqueues as a CUDA graph: it does not run now, and does each time that the result is called."""
        self.call("gpu_begin_graph")
        run()
        self.call("gpu_end_graph")
        return lambda: self.call("gpu_replay")


def main() -> None:
    """The command of the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", type=Path, metavar="OUT")
    parser.add_argument("--architecture", type=int, default=90, help="of the GPU, as 90 for compute capability 9.0")
    parser.add_argument("--host", action="store_true", help="for the host's processor")
    arguments = parser.parse_args()
    arguments.target.parent.mkdir(parents=True, exist_ok=True)
    if not arguments.host:
        build_for_gpu(arguments.target, arguments.architecture)
        return
    headers = toolkit_headers()
    if headers is None:
        parser.error("no cuda_runtime_api.h: install the CUDA toolkit")
    build_for_host(arguments.target, headers)


if __name__ == "__main__":
    main()
