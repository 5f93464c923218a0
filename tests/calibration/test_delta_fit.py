"""Thresholds, resting values and exponents of the delta code, against numbers worked out by hand or by brute force."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from converter.activations.encoders import Encoder, Entry
from converter.calibration.delta_fit import TargetValues, fit, gather
from converter.errors import RefusedError
from converter.io.samples import Samples
from converter.neurons.delta import DeltaNeuron, DeltaNumbers, Exponents
from converter.options import Options
from snn_ops.format import SCHEDULES
from snn_ops.ops import OPERATORS
from tests.models import convert_model, mlp


def encoder_of(values: np.ndarray, *, shape: tuple[int, ...] = (), image: bool = False) -> Encoder:
    value = ir.Value(name="v", shape=ir.Shape(shape or (None, len(values))))
    weights = ir.Value(name="w", const_value=ir.tensor(np.eye(len(values), dtype=np.float32)))
    node = ir.node("MatMul", [value, weights], name="layer")
    return Encoder(value, 1, [Entry(node, 0)], is_image=image)


def numbers(values: np.ndarray, weights: np.ndarray | None = None, *, base: int = 6, **more: object) -> DeltaNumbers:
    """Of one layer, whose channels' values are the rows."""
    target = TargetValues(values.astype(np.float32), np.ones(len(values)) if weights is None else weights)
    (result,) = fit([encoder_of(values, **more)], {"v": target}, {"layer": 100}, Exponents(base, base, 2))
    return result


def test_threshold_is_the_quantile_of_what_lies_away_from_rest() -> None:
    values = np.random.default_rng(0).normal(0, 1, (2, 4000)) * [[1], [1.5]]
    found = numbers(values)
    np.testing.assert_array_equal(found.resting_value, [0, 0])
    np.testing.assert_allclose(found.threshold, np.quantile(np.abs(values), 0.999, axis=1), rtol=1e-6)


def test_dead_channels_get_half_of_the_root_mean_square() -> None:
    values = np.random.default_rng(0).normal(0, 1, (4, 4000)) * [[1], [1], [1], [1e-4]]
    found = numbers(values).threshold
    wide = np.quantile(np.abs(values), 0.999, axis=1)
    assert found[3] == pytest.approx(0.5 * np.sqrt((wide**2).mean()), rel=1e-6)


def test_rest_is_the_median_where_that_takes_fewer_spikes() -> None:
    rng = np.random.default_rng(0)
    around_half = rng.normal(0.5, 0.01, 4000)  # a sigmoid that hardly changes
    mostly_zero = np.where(rng.random(4000) < 0.7, 0, rng.random(4000))  # a Relu
    found = numbers(np.stack([around_half, mostly_zero]))
    assert found.resting_value[0] == pytest.approx(0.5, abs=0.01)
    assert found.resting_value[1] == 0

    def spikes(rest: float) -> int:
        """By the neuron itself."""
        run = OPERATORS["MultiThreshold"].run
        one = np.float32(1)
        threshold, finest = np.float32(found.threshold[0]), np.float32(8)
        totals = run(
            around_half.astype(np.float32)[None], 4, threshold, one * rest, finest, one * 0, 0, constant_current=1
        )[0]
        return int((np.diff(totals, axis=0, prepend=np.full((1, 4000), rest, np.float32)) != 0).sum())

    assert spikes(float(found.resting_value[0])) < spikes(0.0)


def test_channels_that_matter_little_stay_coarse() -> None:
    """Half of log2 of threshold x norm of the weights behind, relative to the layer's largest."""
    values = np.random.default_rng(0).normal(0, 1, (3, 4000))
    found = numbers(values, np.asarray([1, 1 / 16, 1 / 256]))
    assert list(found.finest_exponent - found.finest_exponent[0]) == [0, -2, -4]


def test_images_get_two_more() -> None:
    values = np.random.default_rng(0).random((1, 4000))
    plain, image = (numbers(values, shape=(1, 1, 4, 4), image=flag) for flag in (False, True))
    assert image.finest_exponent - plain.finest_exponent == 2
    assert plain.threshold.shape == (1, 1, 1)


def test_images_get_none_in_a_stream() -> None:
    """Where a sensor's noise would be sent again in every frame."""
    for schedule in SCHEDULES:
        alone, stream = (
            DeltaNeuron(Options(code="delta", schedule=schedule, streaming=flag)).exponents for flag in (False, True)
        )
        assert (alone.image_refinement, stream.image_refinement) == (2, 0)
        assert alone.base == stream.base


def test_cheap_layers_may_be_exact() -> None:
    """Half of log2 of how much cheaper than the average one, at most 3: shares 1/2 and 1/2 are the average; 1/1000 is not."""
    values = np.random.default_rng(0).normal(0, 1, (1, 4000))
    encoders = []
    for name in ("a", "b", "c"):
        encoder = encoder_of(values)
        encoder.value.name, encoder.entries[0].node.name = name, f"layer_{name}"
        encoders.append(encoder)
    targets = {name: TargetValues(values.astype(np.float32), np.ones(1)) for name in "abc"}
    work = {"layer_a": 50_000, "layer_b": 50_000, "layer_c": 10}
    found = fit(encoders, targets, work, Exponents(6, 6, 2))
    assert [float(n.finest_exponent[0]) for n in found] == [6, 6, 9]


def test_refinements_lead_from_the_first_exponent_to_the_last() -> None:
    values = np.random.default_rng(0).normal(0, 1, (1, 4000))
    (found,) = fit(
        [encoder_of(values)],
        {"v": TargetValues(values.astype(np.float32), np.ones(1))},
        {"layer": 1},
        Exponents(3, 6, 2),
    )
    assert (found.finest_exponent[0], found.refinements) == (3, 3)


def test_products_have_thresholds_of_powers_of_two() -> None:
    values = np.random.default_rng(0).normal(0, 1, (2, 4000))
    encoder = encoder_of(values)
    encoder.is_product = True
    (found,) = fit(
        [encoder], {"v": TargetValues(values.astype(np.float32), np.ones(2))}, {"layer": 1}, Exponents(3, 6, 2)
    )
    exponents = np.log2(found.threshold)
    np.testing.assert_array_equal(exponents, np.round(exponents))


def test_few_samples_and_equal_ones_are_refused(tmp_path) -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (64, 8)).astype(np.float32)
    conversion, _ = convert_model(mlp(), tmp_path, code="delta")
    model = conversion.ann.model
    with pytest.raises(RefusedError, match="at least 8 calibration samples, better some hundred; there are 4"):
        gather(model, [], Samples({"x": x[:4]}, None))
    with pytest.raises(RefusedError, match="the calibration samples are all the same"):
        gather(model, [], Samples({"x": np.repeat(x[:1], 64, axis=0)}, None))
