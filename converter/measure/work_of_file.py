"""What a spiking model in a file costs on given samples: the spikes of a run of it, followed through its own graph.

`cost` has the rules. Layers and their weights are in the file as they are in the trained model, which is not needed. What only
the trained model tells, the energy of functions, is not counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from converter.graph.build import name_nodes
from converter.graph.run import Probe, zeros
from converter.measure.cost import count_work
from converter.measure.layers import Spikes
from converter.measure.routes import Routes
from converter.measure.totals import WorkTotals
from converter.spiking.model import SpikingModel
from snn_ops.format import N_STEPS


def work_of_file(
    spiking: SpikingModel, spikes: Mapping[str, np.ndarray], sample_shapes: Mapping[str, tuple[int, ...]], n_steps: int
) -> WorkTotals:
    """Per sample.

    Args:
        spiking: the model.
        spikes: of each neuron in `n_steps` steps, ``[1, ...]``, by layer, as `Evaluation.spikes` has them.
        sample_shapes: of the inputs, for one sample.
        n_steps: T of that run.
    """
    return WorkOfFile(spiking, sample_shapes).of(spikes, n_steps)


class WorkOfFile:
    """The same for one run after another of a model.

    Args:
        spiking: the model.
        sample_shapes: of the inputs, for one sample.
    """

    def __init__(self, spiking: SpikingModel, sample_shapes: Mapping[str, tuple[int, ...]]) -> None:
        self._model = _of_one_step(spiking)
        self._routes = Routes(self._model, dict(sample_shapes), spiking.libraries)
        self._shapes = _shapes(self._model, sample_shapes, spiking.libraries)

    def of(self, spikes: Mapping[str, np.ndarray], n_steps: int) -> WorkTotals:
        """Of a run; arguments as for `work_of_file`."""
        counted = {name: Spikes(count, count, np.zeros(())) for name, count in spikes.items()}
        totals = count_work(self._model, self._shapes, self._routes, counted, {}, n_steps).totals()
        return replace(totals, energy_ratio_all=None, neurobench=None)


def _of_one_step(spiking: SpikingModel) -> ir.Model:
    """Without functions, and without inputs that have a default: states, and T, which is 1."""
    model = ir.from_proto(spiking.proto)
    model.functions.clear()
    name_nodes(model)
    model.graph.inputs[:] = [value for value in model.graph.inputs if not value.is_initializer()]
    model.graph.initializers[N_STEPS].const_value = ir.tensor(np.asarray(1, np.int64), name=N_STEPS)
    return model


def _shapes(
    model: ir.Model, sample_shapes: Mapping[str, tuple[int, ...]], libraries: Sequence[str]
) -> dict[str, tuple[int, ...]]:
    """Of all values, for one sample and one step."""
    values = [value for node in model.graph for value in node.outputs if value.name]
    computed = Probe(model, values, spiking=True, libraries=libraries).run(zeros(model, sample_shapes))
    initializers = model.graph.initializers.items()
    constants = {name: tuple(v.const_value.shape.numpy()) for name, v in initializers if v.const_value is not None}
    arrays = {name: array.shape for name, array in computed.items() if isinstance(array, np.ndarray)}
    return {**constants, **arrays, **sample_shapes}
