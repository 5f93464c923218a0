"""Accuracy against energy: codes, schedules, T and J, measured on calibration samples that ranges do not follow from.

One run of a stepped model gives all numbers of steps. In two phases a model is built for each exponent J, from the middle
towards where its outputs begin or cease to be good. What is taken is said in `budget`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import onnx_ir as ir

from converter.calibration import delta_fit
from converter.conversion.budget import Budget, choose
from converter.conversion.build import Draft, build
from converter.conversion.prepare import Prepared, prepare
from converter.conversion.result import Front, Point, Recipe
from converter.conversion.search import default_recipe
from converter.errors import RefusedError
from converter.graph.build import add_functions, to_proto
from converter.graph.shapes import infer_shapes
from converter.io.samples import Samples
from converter.measure.cost import count_work
from converter.measure.eight_bit import eight_bit
from converter.measure.instruments import emits_spikes
from converter.measure.layers import Spikes
from converter.measure.routes import Routes
from converter.measure.scores import classes_of
from converter.measure.steps import Reference, after_steps
from converter.measure.totals import EightBit
from converter.options import AUTO, EXPONENT, LARGEST_EXPONENT, LEAST_EXPONENT, MOST_STEPS, Options

LEAST_TO_CHOOSE = 64
"""Samples below which nothing is chosen: one of them would be more than a per cent."""
MOST_TO_CHOOSE = 256
LEAST_TO_CALIBRATE = 32
CHOOSING_MULTIPLY_ADDS = 3e11
"""What one run over all numbers of steps may cost, as long as `LEAST_TO_CHOOSE` samples are left."""
FIRST_EXPONENT_TRIED = EXPONENT - 1


@dataclass(frozen=True)
class Taken:
    """What was chosen.

    Attributes:
        prepared: with the options that were chosen, nothing left open.
        recipe: how neurons are calibrated.
        front: what was measured; None where there was nothing to choose, or too few samples.
        too_few: something would have been chosen, had there been enough samples.
    """

    prepared: Prepared
    recipe: Recipe
    front: Front | None
    too_few: bool = False


def take(prepared: Prepared, asked: Options, recipe: Recipe) -> Taken:
    """Chooses what the user left open.

    Args:
        prepared: what all trials share, with settled options.
        asked: the user's options.
        recipe: of the rate code, as it was chosen.

    Raises:
        RefusedError: nothing has what the user named, or there are too few samples to say so.
    """
    if not leaves_open(asked, prepared.options) and not asked.has_budget:
        return Taken(prepared, recipe, None)
    parts = _split(prepared)
    if parts is None:
        if asked.has_budget:
            least = LEAST_TO_CHOOSE + LEAST_TO_CALIBRATE
            raise RefusedError(
                f"a budget is held on at least {LEAST_TO_CHOOSE} calibration samples that ranges do not follow from; "
                f"give at least {least + least // 7 + 1}, better 512; there are {len(prepared.all_samples())}"
            )
        return Taken(prepared, recipe, None, too_few=True)
    return _Search(prepared, asked, recipe, *parts).taken()


def steps_to_answer(model: ir.Model, options: Options) -> int:
    """T, or T for each layer of neurons on the longest way through the graph."""
    if options.schedule == "stepped":
        return options.n_steps
    layers: dict[ir.Value, int] = {}
    for node in model.graph:
        before = max((layers.get(value, 0) for value in node.inputs if value is not None), default=0)
        layers.update(dict.fromkeys(node.outputs, before + emits_spikes(node)))
    return options.n_steps * max(layers.values())


def leaves_open(asked: Options, settled: Options) -> bool:
    """Whether T or J is to be chosen."""
    if settled.is_delta and settled.schedule == "two-phase":
        return asked.exponent is None
    return asked.opens_steps


def _split(prepared: Prepared) -> tuple[Samples, Samples] | None:
    """Samples that ranges follow from, and samples to choose on; None where there are too few."""
    count = len(prepared.samples)
    cost = max(1, sum(prepared.multiply_adds.values())) * max(MOST_STEPS, prepared.options.n_steps)
    most = int(min(MOST_TO_CHOOSE, max(LEAST_TO_CHOOSE, CHOOSING_MULTIPLY_ADDS // cost)))
    measuring = min(most, max(LEAST_TO_CHOOSE, count // 2))
    if count - measuring < LEAST_TO_CALIBRATE:
        return None
    return prepared.samples.split(count - measuring)


@dataclass
class _Search:
    """Measures the families of points and chooses one."""

    prepared: Prepared
    asked: Options
    recipe: Recipe
    fitting: Samples
    measuring: Samples
    _ann_accuracy: float | None = None
    _eight_bit: EightBit | None = None

    def taken(self) -> Taken:
        """What is chosen."""
        self._reference = Reference(self.prepared.ann, self.measuring)
        first = next(iter(self._reference.outputs(0, 1).values()))
        self.budget = Budget.of(
            self.asked,
            are_classes=self.measuring.labels is not None or _ends_in_classes(self.prepared.ann.model),
            may_be_classes=classes_of(first, 1) is not None,
        )
        measured: list[tuple[Point, Prepared, Recipe]] = []
        for prepared, recipe in self._codes():
            self._shapes = infer_shapes(prepared.trained, prepared.sample_shapes)
            self._targets = (
                delta_fit.gather(prepared.trained, prepared.encoders, self.fitting, prepared.progress)
                if prepared.options.is_delta
                else None
            )
            measured += [(point, prepared, recipe) for point in self._points(prepared, recipe)]
        points = [point for point, _, _ in measured]
        preferred = "stepped" if self.asked.schedule == AUTO and not self.asked.has_budget else None
        choice = choose(points, self.budget, preferred)
        point, prepared, recipe = measured[choice.index]
        options = prepared.options.settled(schedule=point.schedule, n_steps=point.n_steps, exponent=point.exponent)
        if prepared.options.is_delta and self.asked.streaming and point.schedule == "stepped":
            options = replace(options, exponent=self.asked.exponent)
        front = Front(
            points,
            choice.index,
            self._beside(points, point),
            len(self.measuring),
            self.budget.output,
            self.budget.min_agreement,
            self.budget.max_error,
            self.budget.max_energy,
            choice.is_good,
            choice.is_safer,
            self._eight_bit,
            self._ann_accuracy,
        )
        return Taken(replace(prepared, options=options), recipe, front)

    def _codes(self) -> Iterator[tuple[Prepared, Recipe]]:
        """The delta code, and with a budget the rate code beside it; or the one that the user named."""
        yield self.prepared, self.recipe
        if self.asked.code != AUTO or not self.asked.has_budget or self.asked.schedule == "two-phase":
            return
        steps = self.asked.n_steps if not self.asked.opens_steps else MOST_STEPS
        options = replace(self.asked, code="rate", schedule="stepped", n_steps=steps)
        try:
            engine = self.prepared.observations.engine
            other = prepare(self.prepared.ann, self.prepared.all_samples(), options, self.prepared.progress, engine)
        except RefusedError:  # it has no activation that a neuron could replace
            return
        yield other, default_recipe(options)

    def _points(self, prepared: Prepared, recipe: Recipe) -> Iterator[Point]:
        schedules = ("stepped", "two-phase") if self.asked.schedule == AUTO else (self.asked.schedule,)
        if not prepared.options.is_delta:
            schedules = (prepared.options.schedule,)
        if "stepped" in schedules:
            most = MOST_STEPS if prepared.options.is_delta else prepared.options.n_steps
            steps = range(1, most + 1) if self.asked.opens_steps else [self.asked.n_steps]
            options = replace(prepared.options, schedule="stepped", n_steps=max(steps))
            yield from self._run(options, prepared, recipe, list(steps))
        if "two-phase" in schedules and prepared.options.is_delta:
            yield from self._exponents(prepared, recipe)
        elif "two-phase" in schedules:
            yield from self._run(prepared.options, prepared, recipe, [prepared.options.n_steps])

    def _exponents(self, prepared: Prepared, recipe: Recipe) -> list[Point]:
        """Points from the first exponent tried to the least that is good, and one more."""
        found: dict[int, Point] = {}

        def is_good(exponent: int) -> bool:
            if exponent not in found:
                options = replace(
                    self.asked, code="delta", schedule="two-phase", streaming=False, exponent=exponent
                ).settled()
                (found[exponent],) = self._run(options, prepared, recipe, [options.n_steps])
            return self.budget.is_good(found[exponent])

        if self.asked.exponent is not None:
            is_good(self.asked.exponent)
            return list(found.values())
        exponent = FIRST_EXPONENT_TRIED
        if is_good(exponent):
            while exponent > LEAST_EXPONENT and is_good(exponent - 1):
                exponent -= 1
        else:
            while exponent < LARGEST_EXPONENT and not is_good(exponent) and self.budget.is_affordable(found[exponent]):
                exponent += 1
        is_good(min(exponent + 1, LARGEST_EXPONENT))
        return [found[exponent] for exponent in sorted(found)]

    def _run(self, options: Options, prepared: Prepared, recipe: Recipe, steps: Sequence[int]) -> list[Point]:
        """Builds a model, runs it, and counts what it took."""
        exponent = options.exponent if options.schedule == "two-phase" else None
        name = f"measuring {options.code}, {options.schedule}" + ("" if exponent is None else f", J = {exponent}")
        draft = build(replace(prepared, options=options), recipe, self.fitting, targets=self._targets)
        finished = draft.model.clone()
        add_functions(finished)
        runs = after_steps(
            to_proto(finished),
            options.schedule,
            self._reference,
            steps,
            lambda done, of: prepared.progress(name, done, of),
        )
        routes = Routes(draft.model, prepared.sample_shapes)
        neuron = _neuron_of(draft, recipe, options)
        points = []
        for run, n_steps in zip(runs, steps, strict=True):
            spikes = {layer: Spikes(count, count, count[:0]) for layer, count in run.spikes.items()}
            work = count_work(prepared.trained, self._shapes, routes, spikes, {}, n_steps)
            result = run.result
            self._ann_accuracy = run.ann_accuracy
            points.append(
                Point(
                    options.code,
                    options.schedule,
                    neuron,
                    n_steps,
                    exponent,
                    result.accuracy,
                    None if result.accuracy is None or run.ann_accuracy is None else run.ann_accuracy - result.accuracy,
                    result.agreement,
                    result.relative_error,
                    work.spikes_per_synapse,
                    work.energy_ratio,
                    steps_to_answer(draft.model, replace(options, n_steps=n_steps)),
                )
            )
        if prepared is self.prepared and self._eight_bit is None:
            self._eight_bit = eight_bit(
                prepared.trained,
                self._shapes,
                prepared.axes,
                self.fitting.first(prepared.affordable_passes()),
                self.measuring,
                work,
            )
        return points

    def _beside(self, points: Sequence[Point], taken: Point) -> int | None:
        """What would have been taken of the other schedule."""
        others = [i for i, point in enumerate(points) if point.code == taken.code and point.schedule != taken.schedule]
        if not others:
            return None
        try:
            return others[choose([points[i] for i in others], replace(self.budget, is_named=False)).index]
        except RefusedError:
            return None


def _neuron_of(draft: Draft, recipe: Recipe, options: Options) -> str:
    return draft.layers[0].node.op_type if options.is_delta else recipe.neuron


def _ends_in_classes(model: ir.Model) -> bool:
    producer = model.graph.outputs[0].producer()
    while producer is not None and producer.op_type in ("Identity", "Cast", "Squeeze", "Reshape", "Flatten"):
        before = producer.inputs[0]
        producer = None if before is None else before.producer()
    return producer is not None and producer.op_type in (
        "Softmax",
        "LogSoftmax",
        "ArgMax",
        "ZipMap",
        "TreeEnsembleClassifier",
    )
