"""tools/gpu on the host: the checks that a GPU gets, and that they find what is wrong."""

from __future__ import annotations

import ctypes
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from snn_ops.ops import OPERATORS
from tests.gpu.host import headers
from tests.ops.cases import Shape
from tools.gpu import bandwidth, check_kernels, correctness, library, special


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("kernels") / "kernels.so"
    library.build_for_host(target, headers())
    return target


@pytest.fixture(scope="module")
def device(built) -> library.Device:
    return library.Device(built)


def test_every_operator(device) -> None:
    rows = list(correctness.rows(device, correctness.SMALL, exact=True))
    assert {(row.operator, row.type) for row in rows} == {(n, t) for n in OPERATORS for t in ("float32", "float16")}
    assert all(row.values > 1000 for row in rows)
    wrong = [row for row in rows if row.unlike_kernel or row.unlike_numpy or not row.is_good]
    assert not wrong


FAULTS = {
    "the last neurons are left out": "copy.n_neurons -= 4;",
    "the last step is left out": "copy.n_steps -= copy.n_steps > 1;",
    "outputs go one place too far": "copy.output = static_cast<char*>(copy.output) + size;",
    "a step of outputs is one too long": "copy.output_step += copy.output_step > 0;",
    "currents are read one place too far": "copy.current = static_cast<const char*>(copy.current) + size;",
    "a state is not written": "copy.final_state[0] = nullptr;",
    "a state goes one place too far": "copy.final_state[0] = static_cast<float*>(copy.final_state[0]) + 1;",
    "a threshold is read one place too far": "copy.parameter[0].data = static_cast<const float*>(copy.parameter[0].data) + 1;",
}


@pytest.fixture(scope="module")
def faulty(tmp_path_factory) -> library.Device:
    """The kernels, started with a call that one of these statements changed: that of the number `planted`, from 1."""
    folder = tmp_path_factory.mktemp("faulty")
    shutil.copytree(library.ROOT / "kernels", folder / "kernels")
    path = folder / "kernels" / "cuda" / "walk.cu"
    source = path.read_text()
    assert source.count("const char* cuda_walk(") == 1
    cases = "\n".join(f"case {number}: {fault} break;" for number, fault in enumerate(FAULTS.values(), 1))
    path.write_text(
        source.replace("const char* cuda_walk(", "const char* sound_walk(")
        + f"""
extern "C" int planted;
int planted = 0;
namespace onnx_snn {{
const char* cuda_walk(Variant variant, Element element, const TemporalCall& call, const void* constants, void* stream) {{
  TemporalCall copy = call;
  const int size = element == Element::kFloat16 ? 2 : 4;
  switch (planted) {{
    {cases}
  }}
  return sound_walk(variant, element, copy, constants, stream);
}}
}}
"""
    )
    target = folder / "kernels.so"
    library.build_for_host(target, headers(), folder / "kernels")
    return library.Device(target)


@pytest.mark.parametrize("planted", range(len(FAULTS) + 1), ids=["none", *FAULTS])
def test_a_planted_fault_is_found(planted, faulty, monkeypatch) -> None:
    monkeypatch.setattr(correctness, "OPERATORS", {"IF": OPERATORS["IF"]})
    ctypes.c_int.in_dll(faulty.library, "planted").value = planted
    rows = list(correctness.rows(faulty, [Shape(4, 3, (5, 7))], exact=True))
    assert [row.is_good for row in rows] == [planted == 0] * 2


def test_places_beyond_32_bits_and_a_graph(device) -> None:
    assert special.beyond_32_bits(device, 1 << 14) == {"currents": 1 << 14, "unlike_numpy": 0, "unwritten": 0}
    assert special.in_a_graph(device)["unlike_launch"] == 0


@pytest.mark.parametrize("case", [*bandwidth.CASES[::6], bandwidth.CASES[-1]], ids=str)
def test_what_is_measured(case, device, monkeypatch) -> None:
    """The operator's own work, with operands and states of the case's shape; bytes are those that it must move."""
    monkeypatch.setattr(bandwidth, "REPEATS", 2)
    monkeypatch.setattr(bandwidth, "WARM_UP", 1)
    monkeypatch.setattr(bandwidth, "CHANNELS", 4)
    monkeypatch.setattr(bandwidth, "SIDE", 8)
    row = bandwidth.measure(device, case, np.dtype(np.float32), 4096 * 32)
    assert row["neurons"] == 4096 * 32 // case.n_steps
    assert row["milliseconds"] > 0
    assert row["share_of_copy"] > 0


def test_bytes_that_must_be_moved(device) -> None:
    """IF for 4 steps: currents and spikes; where operands are full also two states and their bases, and these again."""
    operator, element, neurons = OPERATORS["IF"], np.dtype(np.float16), (2, 64, 32, 32)
    count = 2 * 64 * 32 * 32
    for operands, expected in (("channel", 4 * 2 * 2 * count), ("full", (4 * 2 * 2 + 4 * 4 + 4 * 4) * count)):
        case = bandwidth.Case("IF", operands, 4)
        assert bandwidth._prepared(device, operator, case, element, neurons)[1] == expected


@pytest.mark.parametrize(("operator", "n_steps"), [("IF", 2), ("TimeRepeat", 2), ("LIFRate", 1)])
def test_every_case_moves_as_many_bytes(operator, n_steps, device) -> None:
    """What reads or writes one step has more neurons, so that neither lies in a cache."""
    currents = 4 * 64 * 32 * 32
    row = bandwidth.measure(device, bandwidth.Case(operator, n_steps=2), np.dtype(np.float32), currents)
    assert row["neurons"] * n_steps == currents


def test_command_writes_as_it_goes(built, tmp_path, monkeypatch, capsys) -> None:
    """And ends with what is wrong."""
    path = tmp_path / "out.json"
    monkeypatch.setattr(correctness, "OPERATORS", {"IF": OPERATORS["IF"], "TimeMean": OPERATORS["TimeMean"]})
    monkeypatch.setattr(correctness, "SMALL", [Shape(4, 3, (5, 7))])
    monkeypatch.setattr(special, "in_a_graph", lambda device: {"unlike_launch": 1})
    arguments = ["check", str(built), "--host", "--quick", "--json", str(path), "--parts", "correct", "unusual"]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit, match="wrong: check CUDA graph"):
        check_kernels.main()
    written = json.loads(path.read_text())
    assert [row["operator"] for row in written["correct"]] == ["IF", "IF", "TimeMean", "TimeMean"]
    assert written["unusual"][0]["wrong"] is False
    assert written["host_compiled"] is True
    assert "1 rows are wrong" in capsys.readouterr().out


def test_times_are_compared_with_what_was_expected(built, tmp_path, monkeypatch, capsys) -> None:
    """On a GPU whose figures are known."""
    path = tmp_path / "out.json"
    monkeypatch.setattr(bandwidth, "CASES", [bandwidth.Case("IF", variant="IF"), bandwidth.Case("TimeMean", n_steps=4)])
    monkeypatch.setattr(bandwidth, "REPEATS", 2)
    monkeypatch.setattr(bandwidth, "SIDE", 4)
    monkeypatch.setattr(check_kernels, "Device", lambda path: named(library.Device(path), "NVIDIA H200"))
    monkeypatch.setattr(sys, "argv", ["check", str(built), "--host", "--json", str(path), "--parts", "fast"])
    check_kernels.main()
    expected = json.loads(path.read_text())["expected"]
    assert [(e["operator"], e["figure"]["neuron"], e["figure"]["card"]) for e in expected[::2]] == [
        ("IF", "IF", "H200"),
        ("TimeMean", "TimeMean", "H200"),
    ]
    assert "| IF | IF | float16 | 32 | scalar |" in capsys.readouterr().out


def named(device: library.Device, name: str) -> library.Device:
    device.description = name
    return device
