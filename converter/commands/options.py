"""The options of a conversion on the command line: said once, for every command that takes them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, cast, get_type_hints

import typer

from converter.commands.arguments import completing
from converter.options import (
    AUTO,
    CODE_CHOICES,
    CORRECTION_CHOICES,
    EXPONENT,
    METHOD_CHOICES,
    NEURON_CHOICES,
    OUTPUTS,
    RATE_STEPS,
    SCHEDULE_CHOICES,
    Options,
    load_layers,
)
from snn_ops.format import READOUTS

_DEFAULTS = Options()


def _word(what: str, choices: Sequence[str], more: str = "") -> Any:
    """An option that is one of some words, which a shell completes."""
    return typer.Option(help=f"{what}: {', '.join(choices)}{more}", autocompletion=completing(choices))


def conversion_options(
    code: Annotated[
        str, _word("how spikes carry a value, as their mean or as its changes", CODE_CHOICES)
    ] = _DEFAULTS.code,
    neuron: Annotated[str, _word("neuron of the rate code", NEURON_CHOICES)] = _DEFAULTS.neuron,
    min_agreement: Annotated[
        float | None,
        typer.Option(help="budget: % of held-out samples with the trained model's class, at least", metavar="PERCENT"),
    ] = None,
    max_error: Annotated[
        float | None, typer.Option(help="budget: relative error of the outputs in %, at most", metavar="PERCENT")
    ] = None,
    max_energy: Annotated[
        float | None, typer.Option(help="budget: energy in % of the trained model's, at most", metavar="PERCENT")
    ] = None,
    output: Annotated[str, _word("what the outputs are", OUTPUTS)] = _DEFAULTS.output,
    steps: Annotated[
        str | None,
        typer.Option(
            help="time steps the model is made for, a number or auto, the least that does; callers may change them "
            f"[default: auto; with the rate code {RATE_STEPS}]",
            metavar="auto|N",
        ),
    ] = None,
    exponent: Annotated[
        int | None,
        typer.Option(
            help="J of the delta code's finest height 2^-J, two-phase and in streams "
            f"[default: the least that does; in streams {EXPONENT}]"
        ),
    ] = _DEFAULTS.exponent,
    analog_input: Annotated[
        bool, typer.Option(help="delta code: the input enters its first weights as numbers, once")
    ] = _DEFAULTS.analog_input,
    exact_skips: Annotated[
        bool, typer.Option(help="delta code: skip connections read values, not what was sent of them")
    ] = _DEFAULTS.exact_skips,
    method: Annotated[str, _word("how ranges are calibrated", METHOD_CHOICES)] = _DEFAULTS.method,
    percentile: Annotated[
        float, typer.Option(help="share of a channel's activations its range covers, in % (method percentile)")
    ] = _DEFAULTS.percentile,
    max_spikes: Annotated[
        int | None, typer.Option(help="most spikes in one step [default: 1 for if and if-signed, else 15]")
    ] = _DEFAULTS.max_spikes,
    correction: Annotated[
        str, _word("layer by layer against the trained model", CORRECTION_CHOICES)
    ] = _DEFAULTS.correction,
    schedule: Annotated[str, _word("schedule", SCHEDULE_CHOICES)] = _DEFAULTS.schedule,
    layers: Annotated[
        Path | None, typer.Option(help="other choices for single layers: TOML with a table [layers.NAME] for each")
    ] = None,
    tau_rc: Annotated[
        float, typer.Option(help="membrane time constant of (Adaptive)LIF neurons, in seconds")
    ] = _DEFAULTS.tau_rc,
    tau_ref: Annotated[
        float | None,
        typer.Option(help="refractory time of (Adaptive)LIF neurons, in seconds [default: fitted per layer]"),
    ] = _DEFAULTS.tau_ref,
    min_voltage: Annotated[
        float | None,
        typer.Option(
            help="lowest membrane potential of (Adaptive)LIF neurons [default: -1; 0 with a readout that forgets]"
        ),
    ] = None,
    tau_n: Annotated[
        float, typer.Option(help="time constant of AdaptiveLIF's adaptation, in seconds")
    ] = _DEFAULTS.tau_n,
    inc_n: Annotated[
        float, typer.Option(help="share of a spike's height by which AdaptiveLIF's adaptation grows at each spike")
    ] = _DEFAULTS.inc_n,
    dt: Annotated[float, typer.Option(help="length of a time step, in seconds")] = _DEFAULTS.dt,
    streaming: Annotated[
        bool, typer.Option(help="neurons' states become inputs and outputs, so that a caller can run chunks of time")
    ] = _DEFAULTS.streaming,
    readout: Annotated[
        str, _word("what a stream of the rate code answers", READOUTS, "; all but mean follow an input that changes")
    ] = _DEFAULTS.readout,
    long_streams: Annotated[
        bool,
        typer.Option(help="with --streaming: sums are two numbers each and stay true for more than a million steps"),
    ] = _DEFAULTS.long_streams,
    explicit_inputs: Annotated[
        bool,
        typer.Option(
            "--explicit-inputs",
            help="n_steps, states and the like are inputs without defaults, for runtimes such as JavaScript and Java that "
            "cannot feed others",
        ),
    ] = _DEFAULTS.explicit_inputs,
) -> Options:
    """What the user chose.

    Raises:
        RefusedError: options that do not go together, or a file of layers that cannot be read.
    """
    return Options(
        neuron=neuron,
        n_steps=parse_steps(steps),
        code=code,
        exponent=exponent,
        min_agreement=min_agreement,
        max_error=max_error,
        max_energy=max_energy,
        output=output,
        analog_input=analog_input,
        exact_skips=exact_skips,
        method=method,
        percentile=percentile,
        max_spikes=max_spikes,
        correction=correction,
        schedule=schedule,
        layers=load_layers(layers) if layers else {},
        tau_rc=tau_rc,
        tau_ref=tau_ref,
        min_voltage=min_voltage,
        tau_n=tau_n,
        inc_n=inc_n,
        dt=dt,
        streaming=streaming,
        readout=readout,
        long_streams=long_streams,
        explicit_inputs=explicit_inputs,
    )


def takes_conversion_options(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose keyword `options` is an `Options`, with all of these on the command line in its place.

    Args:
        command: the function; its own parameters come before and after, as `options` stands among them.
    """
    own = inspect.signature(command).parameters
    hints = get_type_hints(command, include_extras=True)
    shared = inspect.signature(conversion_options).parameters
    shared_hints = get_type_hints(conversion_options, include_extras=True)

    def run(**given: Any) -> None:
        chosen = {name: given.pop(name) for name in shared}
        command(**given, options=conversion_options(**chosen))

    parameters: list[inspect.Parameter] = []
    for name, parameter in own.items():
        if name == "options":
            parameters += [p.replace(annotation=shared_hints[n]) for n, p in shared.items()]
        else:
            parameters.append(parameter.replace(annotation=hints[name]))
    keywords = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
    run.__signature__ = inspect.Signature(keywords)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in keywords}
    run.__name__, run.__doc__, run.__module__ = command.__name__, command.__doc__, command.__module__
    return run


def parse_steps(text: str | None) -> int:
    """ "8" -> 8; None, or "auto", where it is left open.

    Raises:
        typer.BadParameter: something else.
    """
    if text is None or text == AUTO:
        return cast(int, text)
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is neither a number nor {AUTO}", param_hint="--steps") from None
