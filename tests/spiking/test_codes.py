"""The codes, against the format and the operators that they name."""

from __future__ import annotations

from converter.spiking.codes import DELTA, OF_NAME, RATE, READOUTS
from snn_ops.format import CODES
from snn_ops.ops import OPERATORS, Time


def test_every_code_of_the_format_is_one() -> None:
    assert tuple(OF_NAME) == CODES
    assert all(name == code.name for name, code in OF_NAME.items())


def test_readouts_take_a_value_out_of_time() -> None:
    assert (RATE.readout, DELTA.readout) == READOUTS
    assert all(OPERATORS[name].time is Time.LAST for name in READOUTS)
