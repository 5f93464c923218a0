"""What Nengo does not have is refused by name."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

pytest.importorskip("nengo")

import nengo

from converter import RefusedError
from converter.nengo.export import make_script
from converter.nengo.network import to_nengo
from tests.nengo.models import DATA, delta_lenet5, lenet5


@pytest.mark.parametrize("op_type", ["CountIF", "FewSpike", "FewSpikeMean"])
def test_operators_without_counterpart_are_refused(op_type) -> None:
    proto = onnx.ModelProto()
    proto.CopyFrom(lenet5("if"))
    node = next(node for node in proto.graph.node if node.op_type == "IF")
    node.op_type = op_type
    with pytest.raises(RefusedError, match=f"node 'node_relu': {op_type} has no counterpart in Nengo"):
        make_script(proto)


def test_a_readout_for_inputs_that_change() -> None:
    script = make_script(lenet5("lif"), readout_tau=0.015)
    assert script.notes == []
    assert sum("nengo.Alpha(0.015)" in line for line in script.lines) == 1
    assert not any("RunningMean" in line for line in script.lines)
    (note,) = make_script(lenet5("if"), readout_tau=0.015).notes
    assert note.startswith("IF remember every earlier input")
    with pytest.raises(RefusedError, match=r"^with the delta code its outputs are no means .*leave --readout-tau out$"):
        make_script(delta_lenet5("stepped"), readout_tau=0.015)
    for tau in (0.0, -1.0):
        with pytest.raises(RefusedError, match="must be above 0"):
            make_script(lenet5("lif"), readout_tau=tau)


def test_digits_one_after_the_other_in_one_run() -> None:
    """100 ms each, as Nengo's PresentInput gives them: with the readout they are recognised, with means over all steps not."""
    with np.load(DATA / "mnist_test.npz") as archive:
        x, y = archive["x"][:10].astype(float) / 255, archive["y"][:10]
    right = {}
    for tau in (None, 0.015):
        network = to_nengo(lenet5("lif"), readout_tau=tau).network
        (node,) = network.inputs.values()
        node.output = nengo.processes.PresentInput(x.reshape(10, -1), 0.1)
        (output,) = network.outputs.values()
        with network:
            probe = nengo.Probe(output, sample_every=0.1)
        with nengo.Simulator(network, progress_bar=False) as simulator:
            simulator.run(1.0, progress_bar=False)
        right[tau] = int((simulator.data[probe].argmax(1) == y).sum())
    assert right[0.015] >= 9
    assert right[None] <= 6
