"""A streaming model as one that begins at rest: what `converter.spiking.expose_states` brought out goes back inside.

1. Inputs with a default, but `n_steps`, become initialisers.
2. Outputs that give a state go.
3. The metadata list no states.
"""

from __future__ import annotations

import onnx
import onnx_ir as ir

from converter.graph.build import to_proto
from snn_ops.format import DOMAIN, N_STEPS, Metadata


def at_rest(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The model without its states, or itself where it shows none."""
    metadata = Metadata.read({entry.key: entry.value for entry in proto.metadata_props})
    if not metadata.states:
        return proto
    model = ir.from_proto(proto)
    graph, outputs = model.graph, {pair["output"] for pair in metadata.states}
    graph.inputs[:] = [value for value in graph.inputs if value.name == N_STEPS or not value.is_initializer()]
    for value in [value for value in graph.outputs if value.name in outputs]:
        graph.outputs.remove(value)
        producer = value.producer()
        if not value.uses() and producer is not None and producer.domain == DOMAIN:  # as the format wants it
            value.name = ""
    metadata.without("states").write(model.metadata_props)
    return to_proto(model)
