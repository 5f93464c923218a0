"""What Nengo does not have is refused by name."""

from __future__ import annotations

import onnx
import pytest

pytest.importorskip("nengo")


from converter import RefusedError
from converter.nengo.export import make_script
from tests.nengo.models import lenet5


@pytest.mark.parametrize("op_type", ["CountIF", "FewSpike", "FewSpikeMean"])
def test_operators_without_counterpart_are_refused(op_type) -> None:
    proto = onnx.ModelProto()
    proto.CopyFrom(lenet5("if"))
    node = next(node for node in proto.graph.node if node.op_type == "IF")
    node.op_type = op_type
    with pytest.raises(RefusedError, match=f"node 'node_relu': {op_type} has no counterpart in Nengo"):
        make_script(proto)
