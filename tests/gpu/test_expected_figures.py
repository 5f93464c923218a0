"""Expected figures, and how instructions are counted."""

from __future__ import annotations

import json

import pytest

from snn_ops.ops import OPERATORS
from tools import expected_figures, sass_count
from tools.expected_figures import CARDS, FILE, compare, table

ROW = {"operator": "IF", "operands": "scalar", "n_steps": 32, "type": "float32", "neurons": 1_000_000, "variant": "IF"}
SECONDS_OF_COPY = 8 * 32e6 / 3e12


def row(share: float, **changed: object) -> dict[str, object]:
    """Of a kernel that moves 8 bytes a step."""
    milliseconds = 1e3 * SECONDS_OF_COPY / share
    return {**ROW, "milliseconds": milliseconds, "GB/s": 256 / milliseconds, "share_of_copy": share} | changed


def test_the_file_has_every_neuron() -> None:
    figures = json.loads(FILE.read_text())["figures"]
    neurons = {name for operator in OPERATORS.values() if operator.kernel for name in operator.kernel.variants}
    wanted = {(n, t, c) for n in (*neurons, "TimeRepeat") for t in ("float32", "float16") for c in CARDS}
    assert {(f["neuron"], f["type"], f["card"]) for f in figures} == wanted
    assert all(0 < f["target"] <= 0.9 for f in figures)


def test_the_budget_is_that_of_the_card() -> None:
    """132 multiprocessors of 128 lanes at 1.755 GHz issue 79 instructions while 8 bytes are moved at 3.0 TB/s."""
    found = expected_figures.figure(40, 8, "IF", "float32", "H100")
    assert (found.budget, found.ceiling, found.target) == (79.07, 1.98, 0.9)
    assert expected_figures.figure(79.07, 8, "LIF", "float32", "H100").target == 0.75


def test_reached_missed_and_why() -> None:
    rows = [row(0.95), row(0.4), row(0.8, spread=0.5), row(0.45, operator="LIF", variant="LIF", type="float16")]
    reached, few_bytes, unsteady, arithmetic = compare(rows, "NVIDIA H100 80GB HBM3")
    assert reached.reached
    assert reached.figure.target == 0.9
    assert not few_bytes.reached
    assert "too few bytes under way" in few_bytes.why
    assert "unsteady" in unsteady.why
    assert arithmetic.why.startswith("arithmetic: 11") or arithmetic.reached
    assert table([reached, few_bytes]).count("**missed**") == 1


def test_the_neuron_is_that_of_the_attributes() -> None:
    plain, long_step, burst = (
        compare([{k: v for k, v in row(0.9, **changed).items() if k != "variant"}], "H200")[0].figure.neuron
        for changed in ({"operator": "LIF"}, {"operator": "LIF", "tau_rc": 0.003}, {"max_spikes": 4})
    )
    assert (plain, long_step, burst) == ("LIFSmallStep", "LIF", "IFBurst")


def test_another_gpu_has_no_figures() -> None:
    assert compare([row(0.9)], "NVIDIA GeForce RTX 3090") == []


LISTING = """
        /*0000*/                   LDC R1, c[0x0][0x28] ;
        /*0010*/              @!P0 BRA 0x00a0 ;
        /*0020*/                   LDG.E.128 R4, desc[UR8][R2.64] ;
        /*0030*/                   FSETP.GE.AND P1, PT, R4, R0, PT ;
        /*0040*/               @P1 BRA 0x0060 ;
        /*0050*/                   CALL.REL.NOINC 0x00b0 ;
        /*0060*/                   FADD R4, R4, R0 ;
        /*0070*/               @P2 FADD R4, R4, R0 ;
        /*0080*/                   STG.E.128 desc[UR8][R2.64], R4 ;
        /*0090*/               @P0 BRA 0x0020 ;
        /*00a0*/                   EXIT ;
        /*00b0*/                   RET.REL.NODEC R2 0x0 ;
"""


def test_a_step_is_the_shortest_way_that_stores() -> None:
    """Seven instructions for four neurons of float32: no slow path, what a predicate switches off counted."""
    kernel = sass_count.parse(LISTING)
    assert sass_count.step_of(kernel, 4) == pytest.approx(7 / 4)
    assert sass_count.step_of(kernel, 2) == pytest.approx(7 / 8)
    (first, back, body) = next(sass_count.loops(kernel))
    assert (first, back, len(body)) == (0x20, 0x90, 8)
