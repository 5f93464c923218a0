"""Which of the user's options change nothing for the model at hand.

One way for all options: the neurons are placed with an option as it is, and with another value in its place. Where the graph
and all that the neurons' numbers follow from are the same, the option changes nothing. Of a neuron it is told where it cannot
stand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import onnx_ir as ir

from converter.conversion.build import Draft, place_neurons
from converter.conversion.prepare import Prepared, prepared_for
from converter.conversion.result import Recipe
from converter.errors import RefusedError
from converter.options import AUTO, CORRECTIONS, METHODS, NEURONS, OUTPUTS, Options
from snn_ops.format import DOMAIN

ALWAYS = (
    "code", "schedule", "n_steps", "streaming", "readout", "explicit_inputs", "min_agreement", "max_error", "max_energy",
)  # fmt: skip
"""Options that act on the file or on the choice as a whole, for every model."""
WHY: Mapping[str, str] = {
    "neuron": "no layer of this model takes its neuron from it",
    "method": "no layer of this model takes its range's method from it",
    "percentile": "ranges do not follow from a percentile; --method percentile does that",
    "max_spikes": "no neuron of this model sends several spikes in a step",
    "correction": "no neuron of this model can be corrected so",
    "tau_rc": "no neuron of this model is a LIF or AdaptiveLIF",
    "tau_ref": "no neuron of this model is a LIF or AdaptiveLIF",
    "min_voltage": "no neuron of this model is a LIF or AdaptiveLIF",
    "tau_n": "no neuron of this model is an AdaptiveLIF",
    "inc_n": "no neuron of this model is an AdaptiveLIF",
    "dt": "no neuron of this model has times in seconds, as LIF, AdaptiveLIF and Izhikevich have",
    "long_streams": "it is for streams of the rate code whose answer is the mean of all steps (--streaming)",
    "exponent": "no neuron of this model sends heights down to a finest one",
    "analog_input": "no layer with weights takes the model's input as it comes",
    "exact_skips": "no value of this model goes both into weights and around them",
    "output": "nothing is chosen by measuring, as T is given, or there are too few samples",
}
"""Of each other option: why it may change nothing."""
_WORDS = {"neuron": tuple(NEURONS), "method": METHODS, "correction": CORRECTIONS, "output": OUTPUTS}
"""Values that a word may have."""
_WITHOUT = {"correction": "none", "output": AUTO}
"""Words that stand for doing without."""


@dataclass(frozen=True)
class Idle:
    """An option that changes nothing, or not in these layers.

    Attributes:
        option: as `Options` calls it.
        value: the user's.
        layers: where it changes nothing; empty: nowhere does it change anything.
        text: what a user reads.
        of_layer: the layer that it was given for; "": it was given for all.
    """

    option: str
    value: Any
    layers: tuple[str, ...]
    text: str
    of_layer: str = ""


def idle_options(prepared: Prepared, recipe: Recipe, *, chooses: bool) -> list[Idle]:
    """The options that differ from their defaults and change nothing.

    Args:
        prepared: the model and the user's options, with places for neurons.
        recipe: what is built where they leave something open.
        chooses: T or J is chosen by measuring, so that `Options.output` has a say.
    """
    asked = prepared.options
    given = [each for each in _given(asked) if each[1] not in ALWAYS]
    if not given:
        return []
    built = asked if asked.is_delta else replace(asked, **asdict(recipe))
    draft = place_neurons(prepared, built)
    now = _sketch(draft, built, chooses)
    found = list(_unfit_neurons(draft, asked))
    told = {(idle.of_layer, idle.option) for idle in found}
    for layer, name, value in given:
        if (layer, name) in told:
            continue
        other = _changed(built, layer, name, value)
        if other is None:
            continue
        anew = prepared_for(prepared, other) if name == "analog_input" else prepared
        if _sketch(place_neurons(anew, other), other, chooses) == now:
            found.append(Idle(name, value, (), f"{_said(layer, name, value)} changes nothing: {WHY[name]}", layer))
    return found


def _given(options: Options) -> Iterator[tuple[str, str, Any]]:
    """The layer, the name and the value of what is not as it is by default."""
    for field in fields(options):
        value = getattr(options, field.name)
        if field.name != "layers" and value != field.default:
            yield "", field.name, value
    for layer, settings in options.layers.items():
        for name, value in settings.items():
            yield layer, name, value


def _unfit_neurons(draft: Draft, options: Options) -> Iterator[Idle]:
    """Neurons that were named, where others had to be taken."""
    by_name: dict[tuple[str, str], list[str]] = {}
    for layer in draft.reasons:
        named = options.layers.get(layer, {}).get("neuron")
        by_name.setdefault((layer if named else "", named or options.neuron), []).append(layer)
    placed = {each.site.name: each for each in draft.layers}
    for (layer, name), names in by_name.items():
        if name == AUTO:
            continue
        activations = ", ".join(dict.fromkeys(placed[each].site.activation.name for each in names))
        instead = ", ".join(dict.fromkeys(placed[each].node.op_type for each in names))
        it = "it gets" if len(names) == 1 else "they get"
        text = f"{_have(names, len(draft.layers))} form for {name} ({activations}); {it} {instead} neurons"
        yield Idle("neuron", name, tuple(names), f"{_said(layer, 'neuron', name)}: {text}", layer)


def _have(names: Sequence[str], of: int, most: int = 4) -> str:
    """The layers, and that they have no."""
    if len(names) == 1:
        return f"layer {names[0]!r} has no"
    if len(names) == of:
        return f"none of the {of} layers has a"
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"layers {', '.join(map(repr, names[:most]))}{more} have no"


def _said(layer: str, name: str, value: Any) -> str:
    """As the user said it."""
    if layer:
        return f"{name} = {value!r} of layer {layer!r}"
    flag = name.replace("_", "-")
    return (f"--{flag}" if value else f"--no-{flag}") if isinstance(value, bool) else f"--{flag} {value}"


def _changed(options: Options, layer: str, name: str, value: Any) -> Options | None:
    """The options with another value; None: there is none to compare with."""
    for other in _others(name, value):
        try:
            if layer:
                settings = {**options.layers[layer], name: other}
                return replace(options, layers={**options.layers, layer: settings})
            return replace(options, **{name: other})
        except RefusedError:  # out of its range
            continue
    return None


def _others(name: str, value: Any) -> Iterator[Any]:
    if name in _WITHOUT:
        yield from [] if value == _WITHOUT[name] else [_WITHOUT[name]]
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (value + 1, value - 1)
    elif isinstance(value, float):
        yield from (value / 2 or value - 1.0, value + 1.0)
    else:
        yield from (word for word in _WORDS[name] if word != value)


def _sketch(draft: Draft, options: Options, chooses: bool) -> object:
    """All that a finished model follows from, but for the samples."""
    neurons = [
        (
            placed.site.name,
            sorted((a.name, a.value) for a in placed.node.attributes.values()),
            placed.neuron.numbers_from(options.of_layer(placed.site.name)),
        )
        for placed in draft.layers
    ]
    nodes = [(node.op_type, node.name, _names(node.inputs), _names(node.outputs)) for node in draft.model.graph]
    return neurons, nodes, draft.model.opset_imports[DOMAIN], options.output if chooses else None


def _names(values: Iterable[ir.Value | None]) -> list[str | None]:
    return [None if value is None else value.name for value in values]
