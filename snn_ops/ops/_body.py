"""Pieces of the function bodies, in ONNX's text syntax.

A body uses standard operators only and must give the spikes that the native kernel gives, so it follows the same equation
with the same roundings. Its rules, each from an observed failure in some runtime:

* arithmetic is in the type of the states, so a float16 current is computed in float32;
* ``Clip``, ``Max`` and ``Min`` may drop a NaN: comparisons with ``Where`` keep it in its neuron;
* ``expm1`` and ``log1p`` do not exist in ONNX, and ``exp(x) - 1`` would lose digits: see `expm1` and `log1p`.
"""

from __future__ import annotations

from collections.abc import Sequence

from snn_ops.ops.time_axis import REBASED_AFTER


def temporal(
    states: Sequence[str],
    step: str,
    *,
    x: str = "current",
    y: str = "spikes",
    like: str | None = None,
    counts_steps: bool = False,
    counts_samples: bool = False,
) -> str:
    """The frame of an operator that takes the input ``x`` through time: ``step`` is one time step.

    Inside ``step``, ``v_<name>`` is a state before the step and ``<name>_next`` the state after it, ``j`` the current and
    ``s`` the output; ``count`` is the number of steps including this one where the operator ``counts_steps``, and
    ``neuron`` each neuron's index where it ``counts_samples``. The constants ``zero`` and ``one`` have the type of the
    input ``like``, by default the first state.
    """
    like = like or states[0]
    initial = "".join(f"{name}_0 = Expand({name}, neurons)\n" for name in states)
    inputs = [f"v_{name}" for name in states]
    nexts = [f"{name}_next" for name in states]
    finals = [f"{name}_out" for name in states]
    starts = [f"{name}_0" for name in states]
    if counts_steps:
        inputs, nexts = [*inputs, "step_before"], [*nexts, "step_next"]
        finals, starts = [*finals, "step_out"], [*starts, "step_0"]
        initial += "step_0 = Reshape(step, no_axes)\n"
        step = f"step_next = Add(step_before, one_step)\ncount = CastLike(step_next, {like})\n{step}"
    if counts_samples:
        initial += _NEURON_INDEX
    return f"""
    {split_time(x, like)}
    through_time = Expand(given_cast, time_shape)
    {initial}
    {", ".join([*finals, "over_time"])} = Scan<
      num_scan_inputs = 1,
      body = step ({", ".join([*inputs, "j"])}) => ({", ".join([*nexts, "s"])}) {{ {step} }}
    >({", ".join([*starts, "through_time"])})
    {merge_time(x, y)}
    """


_NEURON_INDEX = """
per_sample = ReduceProd<keepdims = 0>(rest)
before_0 = Reshape(first_sample, no_axes)
before = Mul(before_0, per_sample)
all_neurons = ReduceProd<keepdims = 0>(neurons)
no_neuron = Constant<value_int = 0>()
index = Range(no_neuron, all_neurons, one_step)
index_with_axes = Reshape<allowzero = 1>(index, neurons)
neuron = Add(index_with_axes, before)
"""


def split_time(x: str, like: str) -> str:
    """``given_cast`` = x as ``[T, B, ...]``, or ``[1, B, ...]`` with constant_current, in the type of ``like``.

    Also ``steps`` [1], ``neurons`` (the shape [B, ...]), ``time_shape`` [T, B, ...], ``zero``, ``one`` and some axes.
    """
    return f"""
    no_axes = Constant<value = int64[0] {{}}>()
    {checked_steps()}
    one_step = Constant<value_int = 1>()
    is_constant = Constant<value_int: int = @constant_current>()
    is_constant_bool = Cast<to = 9>(is_constant)
    steps_given = Where(is_constant_bool, one_axis, steps)
    first_axis = Shape<start = 0, end = 1>({x})
    rest = Shape<start = 1>({x})
    batch = Div(first_axis, steps_given)
    neurons = Concat<axis = 0>(batch, rest)
    given_shape = Concat<axis = 0>(steps_given, neurons)
    time_shape = Concat<axis = 0>(steps, neurons)
    given = Reshape<allowzero = 1>({x}, given_shape)
    given_cast = CastLike(given, {like})
    {number("zero", 0, like)}
    {number("one", 1, like)}
    """


def checked_steps() -> str:
    """``steps`` = n_steps as ``[1]``. Of n_steps below 1, no shape is left that its one number fits: an error."""
    return """
    one_axis = Constant<value_ints = [1]>()
    no_axis = Constant<value_ints = [0]>()
    is_some = Greater(n_steps, no_axis)
    axis_of_steps = Where(is_some, one_axis, no_axis)
    [n_steps_is_at_least_1] some_steps = Reshape<allowzero = 1>(n_steps, axis_of_steps)
    steps = Reshape(some_steps, one_axis)
    """


def merge_time(x: str, y: str) -> str:
    """``y`` = ``over_time`` [T, B, ...] as [T*B, ...], in the type of ``x``."""
    return f"""
    all_rows = Mul(steps, batch)
    merged_shape = Concat<axis = 0>(all_rows, rest)
    output_cast = CastLike(over_time, {x})
    {y} = Reshape<allowzero = 1>(output_cast, merged_shape)
    """


def number(name: str, value: float, like: str) -> str:
    """A constant with the type of ``like``, rounded once from float64."""
    return f"{name}_64 = Constant<value = double {{{float(value)!r}}}>()\n{name} = CastLike({name}_64, {like})\n"


def attribute(name: str, like: str) -> str:
    """The attribute as the number it means (six significant digits): ``<name>_exact`` in float64, ``<name>`` like ``like``.

    A float32 holds 0.02 as 0.0199999996; ``round(x * 10^k) / 10^k`` in float64, with k from the magnitude, is 0.02 again.
    """
    return f"""
    {name}_32 = Constant<value_float: float = @{name}>()
    {name}_raw = Cast<to = 11>({name}_32)
    {name}_size = Abs({name}_raw)
    {name}_log = Log({name}_size)
    {name}_ln10 = Constant<value = double {{2.302585092994046}}>()
    {name}_log10 = Div({name}_log, {name}_ln10)
    {name}_exponent = Floor({name}_log10)
    {name}_five = Constant<value = double {{5.0}}>()
    {name}_digits = Sub({name}_five, {name}_exponent)
    {name}_ten = Constant<value = double {{10.0}}>()
    {name}_scale = Pow({name}_ten, {name}_digits)
    {name}_scaled = Mul({name}_raw, {name}_scale)
    {name}_rounded = Round({name}_scaled)
    {name}_decimal = Div({name}_rounded, {name}_scale)
    {name}_nothing = Constant<value = double {{0.0}}>()
    {name}_is_zero = Equal({name}_raw, {name}_nothing)
    {name}_exact = Where({name}_is_zero, {name}_nothing, {name}_decimal)
    {name} = CastLike({name}_exact, {like})
    """


def spike_height(like: str) -> str:
    """``height`` = amplitude / dt, taken in float64: in float32, 1 / 0.001 would be 999.99994."""
    return f"""
    amplitude_64 = Cast<to = 11>(amplitude)
    height_64 = Div(amplitude_64, dt_exact)
    height = CastLike(height_64, {like})
    """


def without_smallest(state: str, kept: str) -> str:
    """``kept`` = the state, with 0 where its size is below the attribute `smallest`; needs the constant ``zero``."""
    return f"""
    {kept}_size = Abs({state})
    {kept}_is_small = Less({kept}_size, smallest)
    {kept} = Where({kept}_is_small, zero, {state})
    """


def finite(value: str, kept: str) -> str:
    """``kept`` = the value, with 0 where it is not finite; needs the constant ``zero``."""
    return f"""
    {kept}_nothing = Sub({value}, {value})
    {kept}_is_finite = Equal({kept}_nothing, zero)
    {kept} = Where({kept}_is_finite, {value}, zero)
    """


def expm1(x: str, y: str) -> str:
    """y = exp(x) - 1 without cancellation: u = exp(x), y = (u - 1) x / log(u), and y = x where u rounds to 1.

    Source: W. Kahan, as in Higham, Accuracy and Stability of Numerical Algorithms, section 1.14.1.
    """
    return f"""
    {y}_u = Exp({x})
    {y}_um1 = Sub({y}_u, one)
    {y}_log = Log({y}_u)
    {y}_product = Mul({y}_um1, {x})
    {y}_quotient = Div({y}_product, {y}_log)
    {y}_is_one = Equal({y}_u, one)
    {y} = Where({y}_is_one, {x}, {y}_quotient)
    """


def log1p(x: str, y: str) -> str:
    """y = log(1 + x) without cancellation: u = 1 + x, y = log(u) x / (u - 1), and y = x where u rounds to 1.

    Source: W. Kahan, as in Higham, Accuracy and Stability of Numerical Algorithms, problem 1.5.
    """
    return f"""
    {y}_u = Add(one, {x})
    {y}_um1 = Sub({y}_u, one)
    {y}_log = Log({y}_u)
    {y}_product = Mul({y}_log, {x})
    {y}_quotient = Div({y}_product, {y}_um1)
    {y}_is_one = Equal({y}_u, one)
    {y} = Where({y}_is_one, {x}, {y}_quotient)
    """


def sum_over_time(start: str, x: str) -> str:
    """``start`` + x_0 + x_1 + ..., added in this order, as the kernels do; x is ``[T, B, ...]``."""
    return f"""Scan<
      num_scan_inputs = 1,
      body = add (total, j) => (total_next) {{ total_next = Add(total, j) }}
    >({start}, {x})"""


IS_DUE = f"""
rebased_after = Constant<value_int = {REBASED_AFTER}>()
steps_since = Mod(step_next, rebased_after)
no_steps = Constant<value_int = 0>()
is_due = Equal(steps_since, no_steps)
"""
"""In a step that counts steps: whether sums are rebased after it."""


def rebase(state: str, least: str) -> str:
    """In a step, after `IS_DUE`: from ``<state>_sum``, the state after the step, and its base before it, ``v_<state>_base``, to
    ``<state>_next`` and ``<state>_base_next``. Where it is due, a sum that is finite and whose size is `least` or more moves
    into the base; then 0 takes the place of what is not finite. Needs the constant ``zero``.

    Source: D. Knuth, The art of computer programming 2, section 4.2.2, theorem B (what a sum loses by rounding).
    """
    return f"""
    {state}_next, {state}_base_next = If<
      then_branch = rebase () => ({state}_rebased, {state}_base_rebased) {{
        {state}_size = Abs({state}_sum)
        {state}_is_large = GreaterOrEqual({state}_size, {least})
        {state}_nothing = Sub({state}_sum, {state}_sum)
        {state}_is_finite = Equal({state}_nothing, zero)
        {state}_moves = And({state}_is_large, {state}_is_finite)
        {state}_total = Add(v_{state}_base, {state}_sum)
        {state}_taken = Sub({state}_total, v_{state}_base)
        {state}_base_kept = Sub({state}_total, {state}_taken)
        {state}_base_lost = Sub(v_{state}_base, {state}_base_kept)
        {state}_sum_lost = Sub({state}_sum, {state}_taken)
        {state}_rest = Add({state}_base_lost, {state}_sum_lost)
        {state}_left = Where({state}_moves, {state}_rest, {state}_sum)
        {state}_base_left = Where({state}_moves, {state}_total, v_{state}_base)
        {finite(f"{state}_left", f"{state}_rebased")}
        {finite(f"{state}_base_left", f"{state}_base_rebased")}
      }},
      else_branch = keep () => ({state}_same, {state}_base_same) {{
        {state}_same = Identity({state}_sum)
        {state}_base_same = Identity(v_{state}_base)
      }}
    >(is_due)
    """
