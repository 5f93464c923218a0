"""How to convert: everything a user may choose, checked."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, cast

from converter.errors import RefusedError
from snn_ops.format import CODES, READOUTS, SCHEDULES

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

BURST = 15
"""Most spikes in one step of neurons that fire bursts: a count of four bits."""


@dataclass(frozen=True)
class NeuronWord:
    """A neuron that a user may name.

    Attributes:
        name: the word.
        schedules: those that it can work in.
        most_spikes: in one step, where the user does not say.
        fitted: its firing rate is fitted to the activation; else its threshold follows from the calibrated range.
        trials: the schedules in which "auto" tries it.
        measured: methods and corrections can be compared for it.
    """

    name: str
    schedules: tuple[str, ...] = SCHEDULES
    most_spikes: int = BURST
    fitted: bool = False
    trials: tuple[str, ...] = ()
    measured: bool = True


NEURONS: dict[str, NeuronWord] = {
    word.name: word
    for word in (
        NeuronWord("if", most_spikes=1, trials=SCHEDULES),
        NeuronWord("if-signed", most_spikes=1, trials=("stepped",)),
        NeuronWord("if-burst", trials=SCHEDULES),
        NeuronWord("few-spike", ("two-phase",), trials=("two-phase",), measured=False),
        NeuronWord("sigma-delta"),
        NeuronWord("lif", ("stepped",), fitted=True, measured=False),
        NeuronWord("adaptive-lif", ("stepped",), fitted=True, measured=False),
        NeuronWord("izhikevich", ("stepped",), fitted=True, measured=False),
    )
}
"""By name, the simplest first."""
FITTED = tuple(name for name, word in NEURONS.items() if word.fitted)
METHODS = ("percentile", "mse", "balance")
"""How a layer's range follows from its activations."""
CORRECTIONS = ("none", "bias", "potential")
RATE_STEPS, DELTA_STEPS, DELTA_SLOTS = 32, 4, 6
"""T where the user does not say: of the rate code; of the delta code; of its two-phase schedule from `MANY_SLOTS_FROM` on."""
FIRST_EXPONENT = 3
"""Of the delta code's finest height 2^-j in the first step; it grows by 1 from step to step."""
EXPONENT, MANY_SLOTS_FROM, MOST_EXPONENT = 6, 7, 12
"""Of the delta code's finest height 2^-J: the default, from where a value may take more than four spikes, the largest."""
IMAGE_REFINEMENT = 2
"""Heights that an image which enters the network goes finer; not in a stream, where the finest would send a sensor's noise."""
MOST_STEPS, LEAST_EXPONENT, LARGEST_EXPONENT = 8, 3, 10
"""Where T and J are searched: up to T, from J to J."""
AUTO = "auto"
"""The best on held-out calibration samples."""
CODE_CHOICES = (AUTO, *CODES)
SCHEDULE_CHOICES = (AUTO, *SCHEDULES)
OUTPUTS = (AUTO, "classes", "values")
"""What a model's outputs are, and so what agreement with the trained model means."""
NEURON_CHOICES = (AUTO, *NEURONS)
METHOD_CHOICES = (AUTO, *METHODS)
CORRECTION_CHOICES = (AUTO, *CORRECTIONS)
OF_A_LAYER = ("neuron", "method", "percentile", "max_spikes")
"""Options that a single layer may have otherwise."""


@dataclass(frozen=True)
class Options:
    """How to convert.

    Attributes:
        neuron: "if-burst", "if-signed", "if": kinds of IF, for activations like Relu, from many spikes a step that can be
            taken back to one that cannot; "sigma-delta"; "lif", "adaptive-lif", "izhikevich", whose firing rates are fitted;
            "few-spike" (two-phase only); "auto": the best on held-out calibration samples. Where a neuron cannot stand for
            an activation, the activation's default does; the report says so.
        code: "rate": the mean of a neuron's spikes is its value. "delta": each spike is a change of the value, +-threshold 2^-j
            high, and the sum of the spikes is the value; neuron, method, correction and the like have no meaning there. "auto":
            the one that an option belongs to which is given; else "delta", or with a budget the cheapest.
        n_steps: T, for which the model is calibrated and which the file has as its default; in the two-phase schedule of the
            delta code the number of spikes that a value may take. "auto": the least that does. None: 32 with the rate code,
            unless there is a budget; else "auto".
        exponent: J of the delta code's finest height 2^-J in the two-phase schedule and in streams; None: the least that does,
            in streams 6. In single stepped runs it grows from step to step.
        min_agreement: the budget: share of samples in per cent that must get the trained model's class, on calibration samples
            that ranges do not follow from.
        max_error: the budget for values: most relative error of the outputs in per cent, on the same samples.
        max_energy: the budget for work: most energy as a share of the trained model's, in per cent (docs/energy.md).
        output: "classes" or "values": what the outputs are; "auto": classes where samples have labels or the outputs are those
            of a Softmax or ArgMax, else both, class and value, are held.
        analog_input: with the delta code, the model's input enters its first weights as numbers, once.
        exact_skips: with the delta code, what is no layer with weights reads values themselves, not what was sent of them.
        method: how a layer's range follows from its activations: "percentile", "mse", "balance" or "auto".
        percentile: share of a channel's activations that its range covers, in per cent.
        max_spikes: most spikes in one step; None: 1 for "if" and "if-signed", else 15.
        correction: layer by layer against the trained model: "bias" shifts currents, "potential" initial voltages of IF
            neurons, "none", or "auto".
        schedule: "stepped": every layer spikes in every step; "two-phase": each layer receives all T steps, then fires; "auto":
            the one that an option belongs to which is given; else "stepped", or with a budget the cheapest.
        layers: other choices for single layers by name: ``{"conv1_relu": {"neuron": "if", "percentile": 99.5}}``.
        tau_rc, dt: of LIF and AdaptiveLIF neurons, in seconds; dt also of Izhikevich neurons.
        tau_ref: refractory time of LIF and AdaptiveLIF neurons in seconds; None: one or two steps, whichever fits a layer
            better.
        min_voltage: lowest membrane potential of LIF and AdaptiveLIF neurons; None: -1, and 0 with a readout that forgets.
        tau_n, inc_n: of AdaptiveLIF neurons: time constant of the adaptation in seconds, and its share of a spike's height.
        streaming: make the neurons' states inputs and outputs of the model, so that it can run in chunks of time.
        readout: what a stream of the rate code answers: "mean" over all steps since it began; "window", the mean over its last
            steps, and "leaky", a mean whose shares decay, answer for the present input. How many steps those look back is
            chosen on held-out samples, one after the other for `n_steps` steps each; neurons and means inside forget likewise.
        long_streams: with `streaming`: sums, counts and voltages are two numbers each, so that they stay true in streams of
            more than a million steps. False: one number, as release 0.1.0 has them.
        explicit_inputs: the file's inputs have no defaults, as JavaScript and Java cannot feed such inputs: n_steps, states and
            the like are inputs that every caller feeds, and their defaults stand in the metadata (docs/other-languages.md).
    """

    neuron: str = "auto"
    code: str = "auto"
    n_steps: int = cast(int, None)
    exponent: int | None = None
    min_agreement: float | None = None
    max_error: float | None = None
    max_energy: float | None = None
    output: str = "auto"
    analog_input: bool = False
    exact_skips: bool = False
    method: str = "auto"
    percentile: float = 99.9
    max_spikes: int | None = None
    correction: str = "auto"
    schedule: str = "auto"
    layers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tau_rc: float = 0.02
    tau_ref: float | None = None
    min_voltage: float | None = None
    tau_n: float = 1.0
    inc_n: float = 0.01
    dt: float = 0.001
    streaming: bool = False
    readout: str = "mean"
    long_streams: bool = True
    explicit_inputs: bool = False

    def __post_init__(self) -> None:
        for what, choices in (
            ("neuron", NEURON_CHOICES),
            ("method", METHOD_CHOICES),
            ("correction", CORRECTION_CHOICES),
            ("schedule", SCHEDULE_CHOICES),
            ("code", CODE_CHOICES),
            ("output", OUTPUTS),
            ("readout", READOUTS),
        ):
            _one_of(what, getattr(self, what), choices)
        self._check_budget()
        self._take_what_is_implied()
        self._check_readout()
        self._check_codes()
        if not self.opens_steps:
            check_steps(self.n_steps)
        if not 0 < self.percentile <= 100:
            raise RefusedError(f"the percentile must be above 0 and at most 100, it is {self.percentile}")
        if self.max_spikes is not None and self.max_spikes < 1:
            raise RefusedError(f"max_spikes must be at least 1, it is {self.max_spikes}")
        for name in ("tau_rc", "tau_n", "dt"):
            if getattr(self, name) <= 0:
                raise RefusedError(f"{name} must be above 0, it is {getattr(self, name)}")
        for name in ("tau_ref", "inc_n"):
            if (getattr(self, name) or 0) < 0:
                raise RefusedError(f"{name} must not be negative, it is {getattr(self, name)}")
        if self.min_voltage is not None and self.min_voltage > 0:
            raise RefusedError(f"min_voltage must not be above 0, it is {self.min_voltage}")
        self._check_schedule()
        for name in self.layers:
            self.of_layer(name)

    def _take_what_is_implied(self) -> None:
        """An option that is given decides what it belongs to."""

        def take(name: str, value: object) -> None:
            object.__setattr__(self, name, value)

        if self.code == AUTO and self._of_rate():
            take("code", "rate")
        elif self.code == AUTO and self._of_delta():
            take("code", "delta")
        if self.schedule == AUTO:
            schedules = NEURONS[self.neuron].schedules if self.neuron != AUTO else SCHEDULES
            if schedules == ("two-phase",) or (self.exponent is not None and not self.streaming):
                take("schedule", "two-phase")
            elif self.code == "rate" or self.streaming:
                take("schedule", "stepped")
        steps = cast("int | str | None", self.n_steps)
        if steps is None and self.code == "rate" and not self.has_budget:
            take("n_steps", RATE_STEPS)
        elif steps == AUTO:
            take("n_steps", None)

    def _of_rate(self) -> list[str]:
        """Options of the rate code that are given."""
        given = {
            "neuron": self.neuron != AUTO,
            "method": self.method != AUTO,
            "correction": self.correction != AUTO,
            "max_spikes": self.max_spikes is not None,
            "layers": bool(self.layers),
            "readout": self.forgets,
        }
        usual = {field.name: field.default for field in fields(self)}
        others = ("percentile", "tau_rc", "tau_ref", "min_voltage", "tau_n", "inc_n", "dt")
        given |= {name: getattr(self, name) != usual[name] for name in others}
        return [name for name, is_given in given.items() if is_given]

    def _of_delta(self) -> list[str]:
        """Options of the delta code that are given."""
        return [n for n in ("exponent", "analog_input", "exact_skips") if getattr(self, n) not in (None, False)]

    def _check_budget(self) -> None:
        for name in ("min_agreement", "max_error", "max_energy"):
            value = getattr(self, name)
            most = 100 if name == "min_agreement" else float("inf")
            if value is not None and not 0 < value <= most:
                limit = " and at most 100" if name == "min_agreement" else ""
                raise RefusedError(f"{name} is in per cent and must be above 0{limit}, it is {value:g}")
        for name, output in (("min_agreement", "values"), ("max_error", "classes")):
            if getattr(self, name) is not None and self.output == output:
                raise RefusedError(f"{name} says nothing of outputs that are {output}; leave one of both out")

    def _check_schedule(self) -> None:
        """Raises RefusedError where a neuron has no such schedule, or the schedule cannot be streamed."""
        neurons = {self.neuron, *(settings.get("neuron") for settings in self.layers.values())}
        schedule = "stepped" if self.schedule == AUTO else self.schedule
        unfit = [word for name, word in NEURONS.items() if name in neurons and schedule not in word.schedules]
        if unfit and self.schedule == "two-phase":
            raise RefusedError(
                f"{unfit[0].name} neurons forget; they have no two-phase schedule. Use --schedule stepped"
            )
        if unfit:
            raise RefusedError(f"{unfit[0].name} neurons fire after all input; use --schedule two-phase")
        if self.schedule == "two-phase" and self.streaming and self.code == "rate":
            raise RefusedError("a two-phase model receives all steps at once; only stepped models can be streamed")

    def _check_readout(self) -> None:
        """Raises RefusedError where a readout that forgets stands beside what does not."""
        if not self.forgets:
            return
        if self.is_delta:
            raise RefusedError("a stream of the delta code answers for the present input already; leave --readout out")
        if not self.streaming:
            raise RefusedError(f"--readout {self.readout} is for streams whose input changes; add --streaming")
        neurons = {self.neuron, *(settings.get("neuron") for settings in self.layers.values())}
        if "if-signed" in neurons:
            raise RefusedError(
                "if-signed neurons remember every spike that they sent; with --readout "
                f"{self.readout} use if, if-burst or lif"
            )
        if self.correction == "potential":
            raise RefusedError(
                f"a stream forgets its initial voltages; --readout {self.readout} has no correction potential"
            )

    @property
    def forgets(self) -> bool:
        """Whether a stream answers for its present input by forgetting earlier ones."""
        return self.readout != "mean"

    @property
    def lowest_voltage(self) -> float:
        """`min_voltage`, or its default: inhibition that is over should not last."""
        if self.min_voltage is not None:
            return self.min_voltage
        return 0.0 if self.forgets else -1.0

    @property
    def is_delta(self) -> bool:
        """Whether spikes are changes of a value."""
        return self.code == "delta"

    @property
    def finest(self) -> int:
        """`exponent`, or its default."""
        return EXPONENT if self.exponent is None else self.exponent

    @property
    def steps_of_file(self) -> int:
        """The file's default number of steps: `n_steps`, but in a two-phase stream, where a step is a frame, 1."""
        return 1 if self.schedule == "two-phase" and self.streaming else self.n_steps

    @property
    def has_budget(self) -> bool:
        """Whether the user said how good or how cheap the result must be."""
        return (self.min_agreement, self.max_error, self.max_energy) != (None, None, None)

    @property
    def opens_steps(self) -> bool:
        """Whether T is still to be chosen."""
        return cast("int | None", self.n_steps) is None

    def settled(self, **choices: Any) -> Options:
        """These options with nothing open that a build needs: `choices`, and defaults for the rest."""
        options = replace(self, **choices)
        if options.code == AUTO:
            options = replace(options, code="delta")
        if options.schedule == AUTO:
            options = replace(options, schedule="stepped")
        if options.opens_steps:
            options = replace(options, n_steps=options._usual_steps())
        return options

    def _usual_steps(self) -> int:
        if not self.is_delta:
            return RATE_STEPS
        return DELTA_SLOTS if self.schedule == "two-phase" and self.finest >= MANY_SLOTS_FROM else DELTA_STEPS

    def _check_codes(self) -> None:
        """Raises RefusedError where options of the two codes are mixed."""
        if not self.is_delta:
            named = self._of_delta()
            if named and self.code == "rate":
                raise RefusedError(f"{named[0]} belongs to the delta code; use --code delta")
            return
        given = self._of_rate()
        if "neuron" in given:
            raise RefusedError(f"{self.neuron} neurons have no delta code; use --code rate, or leave the neuron open")
        if given:
            raise RefusedError(f"the delta code has no {given[0]} to choose; use --code rate, or leave it out")
        if self.exponent is None:
            return
        if not 0 <= self.exponent <= MOST_EXPONENT:
            raise RefusedError(f"the exponent must be from 0 to {MOST_EXPONENT}, it is {self.exponent}")
        if self.schedule == "stepped" and not self.streaming:
            raise RefusedError(
                "stepped, the finest height is halved from step to step; --exponent needs --schedule two-phase"
            )

    def of_layer(self, name: str) -> Options:
        """The options of one layer.

        Raises:
            RefusedError: an option that a layer does not have, or a value that is none.
        """
        settings = self.layers.get(name, {})
        for key in settings:
            if key not in OF_A_LAYER:
                raise RefusedError(
                    f"layer {name!r} has no option {key!r} of its own; a layer's options are {', '.join(OF_A_LAYER)}"
                )
        return replace(self, **{"layers": {}, **settings}) if settings else self

    def most_spikes(self) -> int:
        """Most spikes in one step."""
        if self.max_spikes is not None:
            return self.max_spikes
        return NEURONS[self.neuron].most_spikes if self.neuron in NEURONS else BURST


def check_steps(n_steps: int) -> None:
    """Raises RefusedError where it is below 1."""
    if n_steps < 1:
        raise RefusedError(f"the number of steps must be at least 1, it is {n_steps}")


def load_layers(path: str | Path) -> dict[str, dict[str, Any]]:
    """Reads `Options.layers` from a TOML file with a table ``[layers.NAME]`` per layer.

    Raises:
        RefusedError: no such file, not TOML, or no such tables in it.
    """
    path = Path(path)
    try:
        tables = tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise RefusedError("there is no such file", file=path) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RefusedError(f"not TOML: {error}", file=path) from None
    layers = tables.get("layers")
    if (
        not isinstance(layers, dict)
        or set(tables) != {"layers"}
        or not all(isinstance(t, dict) for t in layers.values())
    ):
        raise RefusedError('it needs a table for each layer, e.g. [layers."conv1_relu"], and nothing else', file=path)
    return layers


def _one_of(what: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise RefusedError(f"there is no {what} {value!r}; choose one of {', '.join(choices)}")


def is_open(options: Options) -> bool:
    """Whether anything is left to choose by measuring."""
    measured = (
        not options.is_delta and not options.forgets and (options.neuron == AUTO or NEURONS[options.neuron].measured)
    )
    return measured and AUTO in (options.neuron, options.method, options.correction)
