"""``python -m tools.mutants [--count N] [--seed S] [--minutes M]``: draws faults, and runs tests that are likely to see them.

Each fault goes into a copy of the checkout, build/mutants. First the test file of the same name runs, then those that name the
module, nearest first, until one fails. A fault in the kernels is built for one instruction set, without optimisation. Survivors
go to tools/mutants/survivors.json, where a person writes the verdict: "equal" (nothing that is promised changes), "seen" (by a
test that did not run here), or the test that was written for it. ``--table`` prints them for a page.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tools.mutants.sites import ROOT, Mutant, files, mutants

TREE = ROOT / "build" / "mutants"
SURVIVORS = Path(__file__).with_name("survivors.json")
COPIED = ("converter", "snn_ops", "kernels", "tests", "tools", "benchmarks", "docs", "examples", "cmake")
MOST_FILES = 5
MOST_SECONDS = 900
NATIVE_TESTS = ("tests/ops/test_agreement.py",)


def likely_tests(path: str) -> list[str]:
    """Test files, those first that are likely to see a fault."""
    if not path.endswith(".py"):
        return list(NATIVE_TESTS)
    parts = Path(path).with_suffix("").parts
    module, stem = ".".join(parts), parts[-1].strip("_")
    inner = parts[1:-1] if parts[0] == "converter" else parts[:-1]
    mirror = Path("tests", *inner, f"test_{stem}.py")
    found = [str(mirror)] if (ROOT / mirror).exists() else []
    if path.startswith("snn_ops/ops/"):
        found += ["tests/ops/test_agreement.py"]
    if path.startswith("converter/nengo/handlers"):
        found += ["tests/nengo/test_handlers.py"]
    names = re.compile(rf"\b{re.escape(module)}\b|from {re.escape('.'.join(parts[:-1]))} import .*\b{parts[-1]}\b")
    for test in sorted((ROOT / "tests").rglob("test_*.py"), key=lambda test: test.parent.name != "/".join(inner)):
        if names.search(test.read_text()):
            found.append(str(test.relative_to(ROOT)))
    folder = Path("tests", *inner)
    found += [str(test.relative_to(ROOT)) for test in sorted((ROOT / folder).glob("test_*.py"))]
    there = [name for name in dict.fromkeys(found) if (ROOT / name).exists()]
    return there[:MOST_FILES] or ["tests/conversion/test_main.py"]


def copy() -> None:
    """The checkout, with its library."""
    shutil.rmtree(TREE, ignore_errors=True)
    for name in COPIED:
        shutil.copytree(ROOT / name, TREE / name, ignore=shutil.ignore_patterns("__pycache__"), symlinks=True)
    for name in ("pyproject.toml", "README.md", "CMakeLists.txt", "Makefile", "CONTRIBUTING.md", "SECURITY.md"):
        shutil.copy(ROOT / name, TREE)


def build(library: Path) -> bool:
    """The library with a fault in a header; whether the compiler took it."""
    # a processor that CMakeLists.txt does not know gets one instruction set
    options = ["-DSNN_CUDA=OFF", "-DCMAKE_BUILD_TYPE=None", "-DCMAKE_CXX_FLAGS=-O1", "-DCMAKE_SYSTEM_NAME=Linux"]
    options += ["-DCMAKE_SYSTEM_PROCESSOR=one"]
    folder = TREE / "build"
    for command in (["cmake", "-S", TREE, "-B", folder, *options], ["cmake", "--build", folder]):
        if subprocess.run(command, capture_output=True, check=False).returncode:
            return False
    return library.exists()


def verdict_of(mutant: Mutant) -> str:
    """ "killed by FILE", "survived", "no code" (it does not compile), or "survived: more than ... s"."""
    place = TREE / mutant.path
    original = place.read_text()
    environment = {**os.environ, "PYTHONPATH": str(TREE), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        place.write_text(mutant.apply(original))
        if not mutant.path.endswith(".py"):
            library = TREE / "build" / "libonnx_snn.so"
            if not build(library):
                return "no code"
            environment["ONNX_SNN_LIBRARY"] = str(library)
        pytest = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", "not slow"]
        try:
            done = subprocess.run(
                [*pytest, *likely_tests(mutant.path)],
                cwd=TREE,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=MOST_SECONDS,
            )
        except subprocess.TimeoutExpired:
            return f"killed by a test that does not end in {MOST_SECONDS} s"
        if done.returncode in (0, 5):
            return "survived"
        failed = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
        return f"killed by {failed[1] if failed else 'pytest, which does not start'}"
    finally:
        place.write_text(original)


def draw(seed: int) -> list[Mutant]:
    """All, at random: a file first, so that long ones do not have it all, then a place in it."""
    rng = random.Random(seed)
    by_file = [found for path in files() if (found := mutants(path))]
    for found in by_file:
        rng.shuffle(found)
    order = []
    while any(by_file):
        rng.shuffle(by_file)
        order += [found.pop() for found in by_file if found]
    return order


def table() -> str:
    """The survivors, for a page."""
    rows = json.loads(SURVIVORS.read_text())
    return "\n".join(
        ["| fault | verdict |", "|---|---|", *(f"| `{row['fault']}` | {row['verdict']} |" for row in rows)]
    )


def main() -> int:
    """Draws, runs, writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--only", default="", help="paths that begin so")
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    if arguments.table:
        print(table())
        return 0
    copy()
    held = json.loads(SURVIVORS.read_text()) if SURVIVORS.exists() else []
    known = {row["fault"] for row in held}
    end, counts = time.monotonic() + 60 * arguments.minutes, {"killed": 0, "survived": 0, "no code": 0}
    for mutant in [m for m in draw(arguments.seed) if m.path.startswith(arguments.only)][: arguments.count]:
        if time.monotonic() > end:
            break
        verdict = verdict_of(mutant)
        counts[next(kind for kind in counts if verdict.startswith(kind))] += 1
        print(f"{verdict}: {mutant}", flush=True)
        if verdict == "survived" and str(mutant) not in known:
            held.append({"fault": str(mutant), "verdict": ""})
            SURVIVORS.write_text(json.dumps(held, indent=1, ensure_ascii=False) + "\n")
    print(f"seed {arguments.seed}: {counts}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
