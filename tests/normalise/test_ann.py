"""Loading and normalising: the normalised model computes what the original does."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from converter.errors import RefusedError
from converter.graph.build import to_proto
from converter.io.onnx_files import read_proto
from converter.normalise.ann import load_ann
from tests.models import convnet, mlp, samples, save


def run(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    session = ort.InferenceSession(model.SerializeToString())
    return session.run(None, {session.get_inputs()[0].name: x})[0]


@pytest.mark.parametrize("opset", [7, 8, 9, 11, 13, 17, 18, 21])
def test_opsets(opset, tmp_path) -> None:
    model = mlp(opset=opset)
    model.ir_version = 3 if opset < 9 else 8
    if model.ir_version == 3:  # then every initialiser must also be an input
        for tensor in model.graph.initializer:
            model.graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    ann = load_ann(save(model, tmp_path / "m.onnx"))
    assert ann.model.opset_imports[""] >= 18
    assert [value.name for value in ann.inputs] == ["x"]
    x = samples(model)
    np.testing.assert_allclose(run(to_proto(ann.model), x), run(model, x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("batch", ["1", "10", "N"])
def test_frees_a_fixed_batch(batch, tmp_path) -> None:
    model = mlp(batch=batch)
    ann = load_ann(save(model, tmp_path / "m.onnx"))
    assert ann.batch == (None if batch == "N" else int(batch))
    x = samples(model, 20)
    expected = run(mlp(), x)
    np.testing.assert_allclose(run(to_proto(ann.model), x), expected, rtol=1e-5, atol=1e-6)


def test_folds_batch_normalization_and_frees_reshape(tmp_path) -> None:
    model = convnet()
    ann = load_ann(save(model, tmp_path / "m.onnx"))
    assert "BatchNormalization" not in {node.op_type for node in ann.model.graph}
    x = samples(model, 6)
    together = run(to_proto(ann.model), x)
    apart = np.concatenate([run(model, x[i : i + 1]) for i in range(6)])
    np.testing.assert_allclose(together, apart, rtol=1e-4, atol=1e-5)


def test_external_data(tmp_path) -> None:
    model = mlp()
    path = tmp_path / "m.onnx"
    onnx.save(model, path, save_as_external_data=True, location="m.data", size_threshold=0)
    x = samples(model)
    np.testing.assert_allclose(run(to_proto(load_ann(path).model), x), run(mlp(), x), rtol=1e-5, atol=1e-6)
    (tmp_path / "m.data").unlink()
    with pytest.raises(
        RefusedError, match=r"m\.onnx: its external data cannot be read .*put those files beside the model"
    ):
        load_ann(path)


@pytest.mark.parametrize("content", [b"", b"hello, this is no model", b"\x08\x07" * 50])
def test_not_onnx(content, tmp_path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(RefusedError, match=r"m\.onnx: not an ONNX model"):
        read_proto(path)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.999])
def test_truncated(share, tmp_path) -> None:
    data = mlp().SerializeToString()
    path = tmp_path / "m.onnx"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(RefusedError, match=r"m\.onnx: "):
        load_ann(path)


def test_the_pipeline_reports_what_it_did(tmp_path) -> None:
    ann = load_ann(save(convnet(), tmp_path / "m.onnx"))
    reports = {report.name: report for report in ann.reports}
    assert list(reports) == [
        "plain form", "name nodes", "inputs without defaults", "inline functions", "check inference", "raise opset",
        "lift constants", "unique names", "check not spiking",
        "reserved names", "dequantise", "move batch", "add batch",
        "open batch", "fold constants", "free batch", "fold BatchNormalization",
        "flush subnormals", "eliminate Identity", "remove unused nodes",
    ]  # fmt: skip
    assert reports["raise opset"].changed == ("the model: raised from opset 17 to 18",)
    assert reports["free batch"].changed == (
        "Reshape 'f': its target [1, 192] gets the number of samples from the data: [0, 192]",
    )
    assert "BatchNormalization 'n1': folded into a layer, or not needed" in reports["fold BatchNormalization"].changed
    assert not reports["dequantise"]


def test_a_free_batch_has_another_pass(tmp_path) -> None:
    ann = load_ann(save(mlp(), tmp_path / "m.onnx"))
    assert "gather by sample" in {report.name for report in ann.reports}
    assert "free batch" not in {report.name for report in ann.reports}
