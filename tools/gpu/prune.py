"""A wheel of onnxruntime-gpu with GPU code for one architecture, small enough to carry.

``python -m tools.gpu.prune WHEEL FOLDER [--architecture 90]`` (pip install zstandard; readelf). FOLDER gets a wheel of the same
name. Out of it are TensorRT's provider, the C library, tools; of the CUDA provider's GPU code what is for other architectures,
and the kernels of attention, mixtures of experts and quantised matrices (`OTHERS`), which spiking models do not use. The
provider keeps its layout: what is out is zeros, marked as code for a GPU that does not exist, so that the driver finds nothing
for the GPU at hand there. CUDA loads such modules lazily, as it does by default; with CUDA_MODULE_LOADING=EAGER it would not.
Nothing has shown yet that a driver takes a library like that.
"""

from __future__ import annotations

import argparse
import re
import struct
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import zstandard

PROVIDER = "onnxruntime/capi/libonnxruntime_providers_cuda.so"
LEFT_OUT = (
    "libonnxruntime.so.",
    "libonnxruntime_providers_tensorrt",
    "onnxruntime/transformers/",
    "onnxruntime/tools/",
    "onnxruntime/quantization/",
)
OTHERS = re.compile(rb"cutlass|[fF]lash|fmha|fpA_intB|[mM]o[eE]|masked_multihead|paged|AttentionKernel")
"""In the names of kernels that are left out, where all of a module have such a name."""

MAGIC, MACHINE_CODE, NO_GPU = 0xBA55ED50, 2, 120
"""Of a container of GPU code, of an entry in it, and the architecture of what was left out."""
_CONTAINER = struct.Struct("<IHHQ")  # magic, version, header's size, size
_ENTRY = struct.Struct("<HHIQIIHHI")  # kind, -, header's size, size, packed size, -, -, -, architecture
_ARCHITECTURE, _UNPACKED = 28, 56
"""Places in an entry's header."""


@dataclass(frozen=True)
class Module:
    """A piece of GPU code in a library.

    Attributes:
        place: of its header.
        kind: `MACHINE_CODE`, or intermediate code.
        architecture: of the GPUs that it is for.
        begin: of the code.
        packed: its size, compressed; 0 where it is not.
        size: with padding.
    """

    place: int
    kind: int
    architecture: int
    begin: int
    packed: int
    size: int


def modules(data: bytes | bytearray, begin: int, end: int) -> Iterator[Module]:
    """Those of a section of containers.

    Raises:
        ValueError: the section is made otherwise.
    """
    at = begin
    while at < end:
        magic, _, header, size = _CONTAINER.unpack_from(data, at)
        if magic != MAGIC:  # padding
            if magic:
                raise ValueError(f"no container of GPU code at {at:#x}")
            at += 8
            continue
        entry, at = at + header, at + header + size
        while entry < at:
            kind, _, head, payload, packed, _, _, _, architecture = _ENTRY.unpack_from(data, entry)
            yield Module(entry, kind, architecture, entry + head, packed, payload)
            entry += head + payload


def prune(data: bytearray, begin: int, end: int, architecture: int) -> tuple[int, int]:
    """Leaves out, in place, what a GPU of this architecture does not need.

    Returns:
        How many modules are left, and their bytes.
    """
    kept = size = 0
    for module in list(modules(data, begin, end)):
        if module.kind == MACHINE_CODE and module.architecture == architecture and _is_wanted(data, module):
            kept, size = kept + 1, size + module.size
        else:
            data[module.begin : module.begin + module.size] = bytes(module.size)
            if module.architecture == architecture:
                struct.pack_into("<I", data, module.place + _ARCHITECTURE, NO_GPU)
    return kept, size


def _is_wanted(data: bytearray, module: Module) -> bool:
    """One of its kernels is ordinary."""
    code = bytes(data[module.begin : module.begin + (module.packed or module.size)])
    if module.packed:
        (unpacked,) = struct.unpack_from("<Q", data, module.place + _UNPACKED)
        code = zstandard.ZstdDecompressor().decompress(code, max_output_size=unpacked)
    names = set(re.findall(rb"\.nv\.info\.(\w+)", code))
    return not names or any(not OTHERS.search(name) for name in names)


def section_of(library: Path) -> tuple[int, int]:
    """Begin and end of the library's GPU code.

    Raises:
        ValueError: it has none.
    """
    table = subprocess.run(["readelf", "-SW", str(library)], capture_output=True, text=True, check=True).stdout
    found = re.search(r"\.nv_fatbin +PROGBITS +\S+ (\S+) (\S+)", table)
    if found is None:
        raise ValueError(f"{library} has no GPU code")
    begin, size = (int(text, 16) for text in found.groups())
    return begin, begin + size


def pruned_wheel(wheel: Path, folder: Path, architecture: int) -> Path:
    """Writes the wheel that is small; says what is left.

    Raises:
        ValueError: the provider has no code for this architecture, or is made otherwise.
    """
    target = folder / wheel.name
    with zipfile.ZipFile(wheel) as source, tempfile.TemporaryDirectory() as temporary:
        library = Path(source.extract(PROVIDER, temporary))
        data = bytearray(library.read_bytes())
        kept, size = prune(data, *section_of(library), architecture)
        if not kept:
            raise ValueError(f"{wheel.name} has no machine code for sm_{architecture}")
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as small:
            for item in source.infolist():
                if not any(part in item.filename for part in LEFT_OUT):
                    small.writestr(item.filename, data if item.filename == PROVIDER else source.read(item))
    print(f"{target}: {target.stat().st_size / 2**20:.1f} MiB; {kept} modules of {size / 2**20:.1f} MiB are left")
    return target


def main() -> None:
    """The command of the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--architecture", type=int, default=90, help="as 90 for compute capability 9.0")
    arguments = parser.parse_args()
    pruned_wheel(arguments.wheel, arguments.folder, arguments.architecture)


if __name__ == "__main__":
    main()
