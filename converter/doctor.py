"""What is installed here, whether it works, and the first thing to do where it does not: ``onnx-snn doctor``.

It needs nothing but Python, so that it can say which package is missing.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

PACKAGE = "onnx-snn"
LEAST_PYTHON = (3, 10)
WIDTH = 79
SECONDS = 120
"""For a model to run once in a process of its own; a GPU that starts for the first time takes long."""
DRIVER = Path("/proc/driver/nvidia")
"""What Linux says of NVIDIA's driver and its GPUs, where it is loaded."""
MODEL = (
    "CAo6/gEKgQEKAXgKAW4KCXRocmVzaG9sZAoHdm9sdGFnZQoFY291bnQSBnNwaWtlcxIBdhIBYxoHbmV1cm9ucyICSUYqEQoKbWF4X3NwaWtlcxgBoAECKg0K"
    "BnNpZ25lZBgAoAECKhcKEGNvbnN0YW50X2N1cnJlbnQYAaABAjoIb25ueF9zbm4SBmRvY3RvcioIEAc6AQRCAW4qExABIgQAAIA/Qgl0aHJlc2hvbGQqERAB"
    "IgQAAAA/Qgd2b2x0YWdlKg8QASIEAAAAAEIFY291bnRaEwoBeBIOCgwIARIICgIIAQoCCAJiGAoGc3Bpa2VzEg4KDAgBEggKAggECgIIAkIECgAQEkIMCghv"
    "bm54X3NubhAB"
)
"""Two IF neurons for four steps, without a function that would run in the library's place: an ONNX model, in base64."""
CURRENTS, SPIKES = (0.3, 1.0), [[0.0, 1.0], [1.0, 1.0], [0.0, 1.0], [0.0, 1.0]]
"""What goes in, and what must come out: thresholds of 1, from a voltage of 1/2."""
_TRIAL = f"""
import sys
sys.path[:] = sys.argv[2:]
import base64, json, numpy, onnxruntime, snn_ops
from snn_ops.provider import start_session
options = snn_ops.register(onnxruntime.SessionOptions())
options.log_severity_level = 4
session = start_session(base64.b64decode({MODEL!r}), options, sys.argv[1])
spikes = session.run(None, {{"x": numpy.asarray([{list(CURRENTS)}], "f")}})[0].tolist()
print(json.dumps({{"isa": snn_ops.cpu_isa(), "library": snn_ops.library_path(), "spikes": spikes}}))
"""


@dataclass(frozen=True)
class Finding:
    """Something that was looked at.

    Attributes:
        what: it is.
        value: what was found.
        wrong: what is wrong with it; "": nothing.
        do: what to do about that, or what one may want to do.
    """

    what: str
    value: str
    wrong: str = ""
    do: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """All that was looked at.

    Attributes:
        findings: in the order in which a thing needs the one before it.
        extras: for each extra of the package the packages that are missing.
    """

    findings: list[Finding]
    extras: dict[str, list[str]] = field(default_factory=dict)

    @property
    def wrong(self) -> list[Finding]:
        """What is wrong, the first thing to do first."""
        return [finding for finding in self.findings if finding.wrong]

    def summary(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {
            "ok": not self.wrong,
            "first": self.wrong[0].do if self.wrong else None,
            "findings": [asdict(finding) for finding in self.findings],
            "extras": self.extras,
        }

    def lines(self) -> Iterator[str]:
        """What a user reads, `WIDTH` characters wide at most."""
        left = max(len(finding.what) for finding in self.findings) + 2
        for finding in self.findings:
            text = f"{finding.value}  WRONG: {finding.wrong}" if finding.wrong else finding.value
            yield from _wrapped(finding.what, text, left)
        for title, chosen in (("extras", True), ("other extras", False)):
            names = [
                extra if chosen else f"{extra} (lacks {', '.join(missing)})"
                for extra, missing in self.extras.items()
                if chosen is not bool(missing)
            ]
            if names:
                yield from _wrapped(title, ", ".join(names), left)
        yield ""
        if not self.wrong:
            yield "Nothing is wrong."
        for index, do in enumerate(dict.fromkeys(finding.do for finding in self.wrong)):
            yield from _wrapped("do first:" if not index else "then:", do, 11)
        hints = [finding.do for finding in self.findings if finding.do and not finding.wrong]
        for hint in hints:
            yield from textwrap.wrap(f"You may want to: {hint}", WIDTH, break_on_hyphens=False, break_long_words=False)


def diagnose() -> Diagnosis:
    """Looks at everything. It never fails: what fails is what it says."""
    needs = requirements()
    findings = [_ours(), _python()]
    numpy, runtime = _package("numpy", needs), _runtime(needs)
    if numpy.wrong and runtime.wrong:  # one command brings both
        numpy = replace(numpy, do=runtime.do)
    findings += [numpy, runtime]
    if not numpy.wrong and not runtime.wrong:
        findings += _library()
    findings.append(_gpu())
    missing = {extra: sorted(_missing(extra, needs)) for extra in needs if extra}
    findings += _converter(missing.get("convert", []), needs)
    return Diagnosis(findings, missing)


def main(arguments: Sequence[str]) -> int:
    """The command where those of the converter cannot be imported; the exit code.

    Args:
        arguments: behind ``onnx-snn doctor``.
    """
    if not set(arguments) <= {"--json", "-"}:
        print("onnx-snn: without the converter's packages, doctor takes --json - and nothing else", file=sys.stderr)
        return 2
    found = diagnose()
    if "--json" in arguments:
        print(json.dumps(found.summary(), indent=1))
    else:
        print("\n".join(found.lines()))
    return int(bool(found.wrong))


def requirements() -> dict[str, dict[str, str]]:
    """What the package needs: for each extra, and "" for all, the packages and which versions.

    An extra of its own that an extra names is taken in. Conditions on Python's version are looked at, others are not there.
    """
    try:
        lines = importlib.metadata.requires(PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        return {"": {"numpy": ""}}
    needs: dict[str, dict[str, str]] = {"": {}}
    within: dict[str, list[str]] = {}
    for line in lines:
        text, _, condition = line.partition(";")
        match = re.match(r"\s*([\w.-]+)\s*(?:\[([^\]]*)\])?\s*(.*)", text)
        extra = re.search(r"extra\s*==\s*['\"]([\w-]+)", condition)
        limit = re.search(r"python_version\s*(<|>=|==)\s*['\"]([\d.]+)", condition)
        if match is None or (limit and not _holds(limit[1] + limit[2], platform.python_version())):
            continue
        group = needs.setdefault(extra[1] if extra else "", {})
        if match[1] == PACKAGE:
            within.setdefault(extra[1] if extra else "", []).extend((match[2] or "").replace(" ", "").split(","))
        else:
            group[match[1]] = match[3].strip()
    for _ in within:  # an extra within an extra
        for name, others in within.items():
            for other in others:
                needs[name] |= needs.get(other, {})
    return needs


def gpu_names(driver: Path = DRIVER) -> tuple[str, ...]:
    """What NVIDIA's driver says of its GPUs; nothing without one."""
    files = sorted(driver.glob("gpus/*/information"))
    found = [re.search(r"^Model:\s*(.*)$", file.read_text(), re.MULTILINE) for file in files]
    return tuple(match[1] for match in found if match)


def version_of(package: str) -> str:
    """Of an installed package; "": it is not."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _ours() -> Finding:
    place = Path(__file__).resolve().parents[1]
    version = version_of(PACKAGE)
    return Finding(PACKAGE, f"{version or 'not installed, a checkout'}, in {place}")


def _python() -> Finding:
    value = f"{platform.python_version()}, {platform.system()} {platform.machine()}"
    if sys.version_info[:2] < LEAST_PYTHON:
        least = ".".join(map(str, LEAST_PYTHON))
        return Finding("Python", value, f"{least} is needed", f"make an environment with Python {least} or newer")
    return Finding("Python", value)


def _package(name: str, needs: Mapping[str, Mapping[str, str]], extra: str = "") -> Finding:
    version, limit = version_of(name), needs.get(extra, {}).get(name, "")
    install = f"pip install '{PACKAGE}{f'[{extra}]' if extra else ''}'"
    if not version:
        return Finding(name, "-", "it is not installed", install)
    if limit and not _holds(limit, version):
        return Finding(name, version, f"{limit} is needed", f"{install} --upgrade")
    return Finding(name, version)


def _runtime(needs: Mapping[str, Mapping[str, str]]) -> Finding:
    """ONNX Runtime, which comes in one of two packages."""
    cpu, gpu = version_of("onnxruntime"), version_of("onnxruntime-gpu")
    both = f"onnxruntime {cpu} and onnxruntime-gpu {gpu}"
    if cpu and gpu:
        return Finding(
            "ONNX Runtime",
            both,
            "they share a folder, and one has overwritten the other",
            f"pip uninstall onnxruntime onnxruntime-gpu, then pip install '{PACKAGE}[cpu]' or '{PACKAGE}[gpu]'",
        )
    extra, name = ("gpu", "onnxruntime-gpu") if gpu else ("cpu", "onnxruntime")
    found = _package(name, needs, extra)
    if found.wrong:
        return Finding("ONNX Runtime", found.value, found.wrong, found.do)
    try:
        import onnxruntime  # noqa: PLC0415

        providers = ", ".join(onnxruntime.get_available_providers())
    except Exception as error:  # whatever a broken package raises
        what = " ".join(str(error).split())[:200] or type(error).__name__
        return Finding(
            "ONNX Runtime",
            found.value,
            f"it cannot be imported: {what}",
            f"pip install --force-reinstall '{PACKAGE}[{extra}]'",
        )
    return Finding("ONNX Runtime", f"{found.value}, {providers}")


def _library() -> Iterator[Finding]:
    """Our operators: whether ONNX Runtime runs them, in a process of its own, which a broken library may end."""
    named = os.environ.get("ONNX_SNN_LIBRARY")
    try:
        found = trial("cpu")
    except TrialError as error:
        build = f"pip install --force-reinstall --no-deps {PACKAGE}, or in a checkout: make"
        do = "correct or unset the environment variable ONNX_SNN_LIBRARY" if named else build
        yield Finding("native library", named or "-", str(error), do)
        return
    lowered = os.environ.get("ONNX_SNN_ISA")
    isa = f"instruction set {found['isa']}" + (f" (ONNX_SNN_ISA={lowered})" if lowered else "")
    yield Finding("native library", f"{found['library']}, {isa}; a spiking model runs")


class TrialError(Exception):
    """A spiking model did not run, or gave another answer; the message says how."""


def trial(provider: str) -> dict[str, Any]:
    """Runs a spiking model in a process of its own.

    Returns:
        ``isa``, ``library``: the CPU's instruction set and the file.

    Raises:
        TrialError: it does not run.
    """
    command = [
        sys.executable,
        "-I",
        "-c",
        _TRIAL,
        provider,
        *(str(Path(folder or ".").resolve()) for folder in sys.path),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise TrialError(f"a small model did not finish within {SECONDS} s") from None
    if done.returncode < 0:
        raise TrialError(f"it ended the process (signal {-done.returncode})")
    if done.returncode:
        last = [line for line in done.stderr.splitlines() if line.strip()]
        raise TrialError(last[-1].partition(": ")[2][:300] or last[-1] if last else "it gave no message")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if found["spikes"] != SPIKES:
        raise TrialError(f"a small model gives {found['spikes']} instead of {SPIKES}")
    return found


def _gpu() -> Finding:
    """NVIDIA's GPU. It is no fault to have none, or not to use it."""
    names = ", ".join(gpu_names())
    if not DRIVER.is_dir():
        return Finding("GPU", "none of NVIDIA's, or no driver for it")
    if not version_of("onnxruntime-gpu"):
        do = f"run models on the GPU: pip uninstall onnxruntime, then pip install '{PACKAGE}[gpu]'"
        return Finding("GPU", f"{names}; this ONNX Runtime is for CPUs", do=do)
    try:
        trial("cuda")
    except TrialError as error:
        return Finding(
            "GPU", names, f"a spiking model does not run on it: {error}", "see docs/gpu.md for versions that fit"
        )
    return Finding("GPU", f"{names}; a spiking model runs on it")


def _missing(extra: str, needs: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    for name, limit in needs[extra].items():
        version = version_of(name)
        if not version and not (name == "onnxruntime" and version_of("onnxruntime-gpu")):
            yield name
        elif version and limit and not _holds(limit, version):
            yield f"{name} {limit} (here: {version})"


def _converter(missing: Sequence[str], needs: Mapping[str, Mapping[str, str]]) -> Iterator[Finding]:
    """Whether models can be converted. A deployment does without."""
    if "convert" not in needs:
        return
    old = [name for name in missing if " " in name]
    install = f"pip install '{PACKAGE}[convert]'"
    if not missing:
        yield Finding("converter", "complete")
    elif old:
        yield Finding("converter", "-", f"too old, or too new: {', '.join(old)}", f"{install} --upgrade")
    else:
        yield Finding("converter", "not installed; models run, none can be converted", do=f"convert models: {install}")


def _holds(limit: str, version: str) -> bool:
    """Whether a version is within ``>=1.2,<3``, told by its numbers alone."""
    have = _numbers(version)
    for part in limit.split(","):
        match = re.match(r"\s*(>=|<=|==|!=|<|>|~=)\s*([\d.]+)", part)
        if match is None:
            continue
        want = _numbers(match[2])
        width = max(len(have), len(want))
        a, b = (numbers + (0,) * (width - len(numbers)) for numbers in (have, want))
        fits = {">=": a >= b, "<=": a <= b, "==": a == b, "!=": a != b, "<": a < b, ">": a > b, "~=": a >= b}
        if not fits[match[1]]:
            return False
    return True


def _numbers(version: str) -> tuple[int, ...]:
    match = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, match[0].split("."))) if match else ()


def _wrapped(what: str, text: str, left: int) -> list[str]:
    """In two columns."""
    clean = "".join(c if c.isprintable() else " " for c in text)
    indent = " " * left
    first = f"{what:<{left}}"
    return textwrap.wrap(clean, WIDTH, initial_indent=first, subsequent_indent=indent, break_on_hyphens=False) or [
        first
    ]
