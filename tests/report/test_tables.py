"""The tables say what the conversion and the evaluation hold."""

from __future__ import annotations

from converter.activations.sites import KeptAnalog
from converter.measure.evaluation import Evaluation
from converter.measure.scores import OutputError, StepResult
from converter.measure.totals import Measured, WorkTotals
from converter.report.tables import (
    conversion_tables,
    kept_analog_table,
    outputs_table,
    rates_table,
    steps_table,
    work_table,
    work_tables,
)


def rows(table) -> list[tuple[str, ...]]:
    return list(zip(*(map(str, column.cells) for column in table.columns), strict=True))


def test_a_conversion(conversion) -> None:
    tables = conversion_tables(conversion)
    titles = [str(table.title).split(":")[0] for table in tables]
    assert titles == [
        "<m>.onnx",
        "Analog islands",
        "Measured on held-out calibration samples; the last one was taken",
        "Work per sample   (* 4.6 pJ a multiply-add, 0.9 pJ an addition, 45 nm, without memory)",
        "Beside the 8-bit network, on the same 4 samples",
    ]
    assert [row[:3] for row in rows(tables[0])] == [(y.name, y.activation, y.neuron) for y in conversion.layers]
    assert [row[0] for row in rows(tables[1])] == [", ".join(island.nodes) for island in conversion.islands]
    assert rows(tables[2])[-1][0] == str(conversion.recipe)
    work = dict(rows(tables[3]))
    assert work["multiply-adds of the trained model"] == f"{conversion.work.multiply_adds:,}"
    assert work["the same as executed, T = 8"] == f"{conversion.work.executed_multiply_adds:,}"
    assert work["spikes per synapse"] == f"{conversion.work.spikes_per_synapse:.4g}"
    assert work["with neurons and functions, of both"] == f"{100 * conversion.work.energy_ratio_all:.2f} %"
    assert work["counted on"] == "4 held-out samples"
    networks = {row[0]: row[1:] for row in rows(tables[4])}
    assert networks["8-bit, dense"][3] == "6.52 %"  # 0.3 of 4.6 pJ
    assert networks["spiking, float32"][3] == f"{100 * conversion.work.energy_ratio:.2f} %"
    (memory,) = conversion_tables(conversion, memory=True)[5:]
    assert [row[1] for row in rows(memory)] == ["weight-stationary, 16 x 16"] * 2 + ["event-driven"]
    assert rows(memory)[2][2] == f"{conversion.totals().memory.spiking:,.0f}"


def test_samples_that_calibration_saw_are_named() -> None:
    measured = Measured(
        3, held_out=False, steps=4, ann_accuracy=None, accuracy=None, agreement=None, relative_error=0.1
    )
    rows_of_work = dict(rows(work_table(WorkTotals(10, 0, 5.0, 0.1, measured=measured), 8)))
    said = rows_of_work["counted on"]
    assert said == "3 samples that calibration saw too: too few to hold any out; 4 steps, T at the same rate"


def test_a_file_of_an_earlier_release_has_one_table_of_work() -> None:
    assert len(work_tables(WorkTotals(10, 0, 5.0, 0.1), 8, memory=True)) == 1


def test_activations_that_stay() -> None:
    (row,) = rows(kept_analog_table([KeptAnalog("a", "Relu", "nothing depends on it")]))
    assert row == ("a", "Relu", "nothing depends on it")


def test_work_without_products() -> None:
    assert [row[1] for row in rows(work_table(WorkTotals(0, 0, 12.4, None), 4))] == ["0", "0", "12", "-"]


def test_an_evaluation() -> None:
    outputs = {"y": OutputError(0.25, 0.5), "z": OutputError(None, None)}
    steps = [StepResult(4, 0.5, 0.75, 0.125, outputs), StepResult(8, None, None, None, outputs)]
    evaluation = Evaluation(samples=10, ann_accuracy=0.9, steps=steps, spike_rates={"first": 0.5})
    assert rows(steps_table("t", evaluation)) == [
        ("trained model", "90.00 %", "", ""),
        ("4", "50.00 %", "75.00 %", "0.125"),
        ("8", "-", "-", "-"),
    ]
    assert rows(rates_table(evaluation)) == [("first", "0.5")]
    assert rows(outputs_table(evaluation))[:2] == [("y", "4", "25.00 %", "0.5"), ("z", "4", "-", "-")]
