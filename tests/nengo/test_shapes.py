"""Shapes of one sample and one step: those that ONNX Runtime's values have."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

pytest.importorskip("nengo")

import snn_ops
from converter import RefusedError, convert
from converter.nengo.shapes import shapes_of_one_step
from tests.models import convnet, mlp, samples, save

QUICK = {"neuron": "if", "method": "percentile", "correction": "none"}


def test_every_value_has_its_shape(tmp_path) -> None:
    model = convnet()
    proto = convert(save(model, tmp_path / "m.onnx"), samples(model), n_steps=16, **QUICK).proto()
    shapes = shapes_of_one_step(proto)
    probe = onnx.ModelProto()
    probe.CopyFrom(proto)
    del probe.graph.output[:]
    names = [name for node in proto.graph.node for name in node.output if name]
    probe.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    values = snn_ops.Session(probe).run_batch({"x": samples(model, 1)}, 1)
    assert len(values) == len(names) > 10
    for name, value in zip(names, values, strict=True):
        assert shapes[name] == value.shape, name


def test_a_state_is_refused(tmp_path) -> None:
    model = mlp()
    proto = convert(save(model, tmp_path / "m.onnx"), samples(model), streaming=True, **QUICK).proto()
    with pytest.raises(RefusedError, match=r"^input '.*' is a state: convert the model without --streaming$"):
        shapes_of_one_step(proto)


def test_free_lengths_are_refused(tmp_path) -> None:
    model = mlp()
    proto = convert(save(model, tmp_path / "m.onnx"), samples(model), **QUICK).proto()
    assert shapes_of_one_step(proto)["x"] == (1, 8)
    proto.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "length"
    with pytest.raises(RefusedError, match=r"^input 'x' has free lengths .*; Nengo needs fixed ones$"):
        shapes_of_one_step(proto)


def test_the_model_stays_as_it_was(tmp_path) -> None:
    model = mlp()
    proto = convert(save(model, tmp_path / "m.onnx"), samples(model), **QUICK).proto()
    before = proto.SerializeToString(deterministic=True)
    shapes_of_one_step(proto)
    assert proto.SerializeToString(deterministic=True) == before
    assert snn_ops.Session(proto).run(np.zeros((1, 8), np.float32))[0].shape == (1, 4)
