"""The native library for systems that this machine is not: ``python -m tools.platforms.cross [TARGET...]``.

Windows x86-64 and macOS arm64 are compiled and linked by the Zig toolchain (pip install ziglang), Linux arm64 by Debian's
g++-aarch64-linux-gnu, each into build/platforms/TARGET. Then the file's name, its format and what it exports are checked: the
two functions that a caller needs, and nothing else. They are built here, not run; tools/platforms/arm64.sh runs that for arm64.
"""

from __future__ import annotations

import argparse
import os
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import lief

from snn_ops.library import library_name

ROOT = Path(__file__).parents[2]
WORK = ROOT / "build" / "platforms"
EXPORTS = {"OnnxSnnCpuIsa", "RegisterCustomOps"}

WRAPPER = """#!/bin/sh
# zig has names of its own for processors, and takes them as -mcpu
for argument do
  shift
  case $argument in -march=*) argument=-mcpu=$(echo "${{argument#-march=}}" | tr - _) ;; esac
  set -- "$@" "$argument"
done
exec {python} -m ziglang c++ -target {zig} "$@"
"""


@dataclass(frozen=True)
class Target:
    """A system and a processor.

    Attributes:
        platform: what `sys.platform` is there.
        system, processor: CMake's words.
        zig: Zig's name, or None: a compiler of its own.
        compiler: that.
        format: of the library, as lief calls it.
    """

    platform: str
    system: str
    processor: str
    format: str
    zig: str | None = None
    compiler: str = ""


TARGETS = {
    "windows-x64": Target("win32", "Windows", "AMD64", "PE", zig="x86_64-windows-gnu"),
    "macos-arm64": Target("darwin", "Darwin", "arm64", "MACHO", zig="aarch64-macos"),
    "linux-arm64": Target("linux", "Linux", "aarch64", "ELF", compiler="aarch64-linux-gnu-g++"),
}


def build(name: str, target: Target) -> Path:
    """Compiles and links; the library."""
    folder = WORK / name
    folder.mkdir(parents=True, exist_ok=True)
    compiler = target.compiler
    if target.zig:
        wrapper = folder / "c++"
        text = WRAPPER.format(python=sys.executable, zig=target.zig)
        if not wrapper.exists() or wrapper.read_text() != text:
            wrapper.write_text(text)
        wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
        compiler = str(wrapper)
    options = {
        "SNN_CUDA": "OFF",
        "CMAKE_SYSTEM_NAME": target.system,
        "CMAKE_SYSTEM_PROCESSOR": target.processor,
        "CMAKE_CXX_COMPILER": compiler,
    }
    configure = ["cmake", "-S", str(ROOT), "-B", str(folder), *(f"-D{key}={value}" for key, value in options.items())]
    subprocess.run(configure, check=True)
    subprocess.run(["cmake", "--build", str(folder), "--parallel", str(os.cpu_count())], check=True)
    return folder / library_name(target.platform)


def exported(library: lief.Binary) -> set[str]:
    """Names that others can link to."""
    if isinstance(library, lief.MachO.Binary):
        return {symbol.name.removeprefix("_") for symbol in library.exported_symbols}
    if isinstance(library, lief.PE.Binary):
        return {entry.name for entry in library.get_export().entries}
    return {str(symbol.name) for symbol in library.exported_symbols}


def check(path: Path, target: Target) -> str:
    """A line about the library.

    Raises:
        SystemExit: what is wrong with it.
    """
    if not path.exists():
        sys.exit(f"{path} was not built")
    library = lief.parse(str(path))
    if library is None or library.format.name != target.format:
        sys.exit(f"{path} is no {target.format} file")
    names = exported(library)
    if isinstance(
        library, lief.MachO.Binary
    ):  # Zig's linker knows no list of exports; its own C++ library is in the file
        names -= {name for name in names if name.startswith(("_Zn", "_Zd", "_mh_", "__dso_handle"))}
    if names != EXPORTS:
        sys.exit(f"{path} exports {sorted(names)}, not {sorted(EXPORTS)}")
    others = {str(getattr(other, "name", other)) for other in library.libraries}
    needed = ", ".join(sorted(name for name in others if Path(name).name != path.name))  # a dylib names itself
    return f"{path.name}: {target.format}, {path.stat().st_size:,} bytes, exports {', '.join(sorted(names))}; needs {needed}"


def main() -> None:
    """Builds and checks all, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    for name in parser.parse_args().targets or TARGETS:
        print(f"{name}: {check(build(name, TARGETS[name]), TARGETS[name])}", flush=True)


if __name__ == "__main__":
    main()
