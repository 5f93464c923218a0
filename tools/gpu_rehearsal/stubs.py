"""Empty libraries in place of NVIDIA's, for ONNX Runtime's CUDA provider to be loaded without them.

``python stubs.py PROVIDER_LIBRARY FOLDER CUDART_OBJECT``: FOLDER gets a library for each that the provider needs and that a
GPU's driver or toolkit would bring. Their functions do nothing and report success; in mathematical libraries only those that
set something up do, the others report that they are not supported. libcudart is CUDART_OBJECT and such functions.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

HARMLESS = re.compile("Destroy|Set|Get|Init")
NOT_SUPPORTED = 15  # CUBLAS_STATUS_NOT_SUPPORTED


def output_of(*command: str) -> str:
    """What it prints."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def empty(name: str, *, is_runtime: bool) -> str:
    """The function in C. A handle that a mathematical library gives out must not be null."""
    if is_runtime:
        return f"int {name}(void) {{ return 0; }}"
    if "Create" in name:
        return f"int {name}(void** handle) {{ *handle = handle; return 0; }}"
    return f"int {name}(void) {{ return {0 if HARMLESS.search(name) else NOT_SUPPORTED}; }}"


def main(provider: str, folder: Path, cudart: str) -> None:
    """Writes and compiles them."""
    libraries = re.findall(r"NEEDED.*\[(libcu\S+)\]", output_of("readelf", "-d", provider))
    symbols = [line.split()[-1].split("@") for line in output_of("nm", "-D", "--undefined-only", provider).splitlines()]
    defined = {line.split()[-1] for line in output_of("nm", "--defined-only", cudart).splitlines()}
    for library in libraries:
        is_runtime, is_driver = library.startswith("libcudart."), library.startswith("libcuda.")
        versioned = [name for name, *version in symbols if version == [library]]
        wanted = versioned or [
            name for name, *version in symbols if is_driver and not version and name.startswith("cu")
        ]
        missing = [name for name in wanted if not (is_runtime and name in defined)]
        source, versions = folder / f"{library}.c", folder / f"{library}.map"
        source.write_text("".join(f"{empty(name, is_runtime=is_runtime)}\n" for name in missing))
        versions.write_text(f"{library if versioned else ''} {{ global: *; }};\n")
        options = ["-w", "-shared", "-fPIC", f"-Wl,-soname,{library}", f"-Wl,--version-script={versions}"]
        objects = [cudart, "-lstdc++"] if is_runtime else []
        subprocess.run(["cc", *options, str(source), *objects, "-o", str(folder / library)], check=True)
        print(f"{library}: {len(wanted)} functions, {len(missing)} of them empty")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
