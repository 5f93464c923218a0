"""New thresholds, resting values and finest exponents for a file of the delta code whose weights were changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir

from converter.calibration import delta_fit
from converter.conversion.prepare import prepare
from converter.errors import RefusedError
from converter.graph.build import name_nodes, name_of, to_proto
from converter.io.progress import Progress, silent
from converter.io.samples import Samples
from converter.neurons.delta import DeltaNeuron
from converter.normalise.ann import Ann
from converter.options import Options
from converter.spiking.without_neurons import without_neurons
from snn_ops.format import Metadata, known


def recalibrated(proto: onnx.ModelProto, samples: Samples, progress: Progress = silent) -> onnx.ModelProto:
    """A copy whose neurons' numbers follow from its weights and these samples, by the options that it was converted with.

    Args:
        proto: of the delta code.
        samples: some hundred; of more, as many as a conversion takes, evenly from all, as they may be in the order of labels.
        progress: called as work advances.

    Raises:
        RefusedError: too few samples or all alike, or the file does not say how it was converted.
        FormatError: its metadata are damaged.
    """
    model = ir.from_proto(proto)
    name_nodes(model)
    metadata = Metadata.read(model.metadata_props)
    options = known(Options, metadata.options, "options")
    if not options.is_delta:
        raise RefusedError(
            "its metadata do not say how it was converted to the delta code, so its thresholds cannot follow; "
            "convert the trained network anew, or with --code rate"
        )
    count = min(len(samples), delta_fit.MOST_SAMPLES)
    samples = samples.take(np.arange(count) * len(samples) // max(1, count))
    trained, targets = without_neurons(model)
    ann = Ann(Path(metadata.source), metadata.source_sha256, to_proto(trained), trained)
    prepared = prepare(ann, samples, options)
    values = delta_fit.gather(prepared.trained, prepared.encoders, prepared.samples, progress)
    neuron = DeltaNeuron(options)
    numbers = delta_fit.fit(prepared.encoders, values, prepared.multiply_adds, neuron.exponents)
    by_value = {
        str(encoder.value.name): of_neuron for encoder, of_neuron in zip(prepared.encoders, numbers, strict=True)
    }
    if by_value.keys() != set(targets.values()):
        raise RefusedError("its neurons do not stand where a conversion puts them; convert the trained network anew")
    for node in model.graph:
        if name_of(node) in targets:
            neuron.set_numbers(node, by_value[targets[name_of(node)]])
    (metadata | Metadata(calibration_samples=len(prepared.samples))).write(model.metadata_props)
    return to_proto(model)
