"""The tables say what the conversion and the evaluation hold."""

from __future__ import annotations

from converter.activations.sites import KeptAnalog
from converter.measure.cost import WorkTotals
from converter.measure.evaluation import Evaluation
from converter.measure.scores import OutputError, StepResult
from converter.report.tables import (
    conversion_tables,
    kept_analog_table,
    outputs_table,
    rates_table,
    steps_table,
    work_table,
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
    ]
    assert [row[:3] for row in rows(tables[0])] == [(y.name, y.activation, y.neuron) for y in conversion.layers]
    assert [row[0] for row in rows(tables[1])] == [", ".join(island.nodes) for island in conversion.islands]
    assert rows(tables[2])[-1][0] == str(conversion.recipe)
    assert rows(tables[3])[0][1] == f"{conversion.work.multiply_adds:,}"


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
