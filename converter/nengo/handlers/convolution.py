"""Conv and ConvTranspose: nengo.Convolution and nengo.ConvolutionTranspose, channels first, as ONNX has them."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from converter.errors import RefusedError
from converter.nengo.script import Script, Shape, tuples


def conv(node: ir.Node, script: Script) -> None:
    """y = W * x + b. Paddings other than Nengo's "same" and "valid" become a larger value of zeros."""
    x, kernel = node.inputs[:2]
    assert x is not None and kernel is not None
    window, strides, pads, dilations = windows_of(node, script.constant(kernel).shape[2:], script.shape(x)[1:])
    if any(dilation != 1 for dilation in dilations):
        raise RefusedError(f"Nengo has no dilated convolution (dilations {dilations})")
    source, shape = script.variable(x), script.shape(x)
    padding = _padding(shape[1:], window, strides, pads)
    if padding is None:
        source, shape, padding = *_padded(script, node, source, shape, pads), "valid"
    groups = node.attributes.get_int("group", 1)
    y = script.declare_sum(node.outputs[0])
    target = script.train(kernel, lambda nengo: np.moveaxis(nengo, (-1, -2), (0, 1)))
    script.add(
        f"{target}connect({source}, {y}, nengo.Convolution({script.shape(node.outputs[0])[0]}, {shape}, {window}, {strides}, "
        f"{padding!r}, channels_last=False, init=np.moveaxis({script.weights(kernel)}, (0, 1), (-1, -2))"
        f"{f', groups={groups}' if groups != 1 else ''}))"
    )
    add_bias(node, script, 2)


def conv_transpose(node: ir.Node, script: Script) -> None:
    """Nengo computes the whole result, of which the pads are cut off; output_padding adds zeros."""
    x, kernel = node.inputs[:2]
    assert x is not None and kernel is not None
    window = tuples(script.constant(kernel).shape[2:])
    lengths = script.shape(x)[1:]
    _, strides, _, dilations = windows_of(node, window, lengths, pads=False)
    if node.attributes.get_int("group", 1) != 1 or any(dilation != 1 for dilation in dilations):
        raise RefusedError("Nengo has no transposed convolution with groups or dilations")
    whole = tuple((n - 1) * s + max(k, s) for n, s, k in zip(lengths, strides, window, strict=True))
    output = script.shape(node.outputs[0])
    pads = cut_off(node, output[1:], lengths, strides, window)
    y = script.declare_sum(node.outputs[0])
    channels = output[0]
    name = script.new_name(f"{y}_whole")
    script.add(f"{name} = value({name!r}, {channels * int(np.prod(whole))})")
    target = script.train(kernel, lambda nengo: np.moveaxis(nengo, (-2, -1), (0, 1)))
    script.add(
        f"{target}connect({script.variable(x)}, {name}, nengo.ConvolutionTranspose({channels}, {script.shape(x)}, "
        f"{(channels, *whole)}, {window}, {strides}, channels_last=False, "
        f"init=np.moveaxis({script.weights(kernel)}, (0, 1), (-2, -1))))"
    )
    index = np.arange(channels * int(np.prod(whole))).reshape(channels, *whole)
    cut = np.full(output, -1)
    inside = tuple(slice(0, min(n, w - p)) for n, w, p in zip(output[1:], whole, pads, strict=True))
    of_index = tuple(slice(p, p + s.stop) for p, s in zip(pads, inside, strict=True))
    cut[(slice(None), *inside)] = index[(slice(None), *of_index)]
    script.add(f"move({name}, {y}, {script.array(f'{node.name}/index', cut.ravel())})")
    add_bias(node, script, 2)


def add_bias(node: ir.Node, script: Script, position: int) -> None:
    """Adds the channels' bias, where there is one."""
    if len(node.inputs) <= position or node.inputs[position] is None:
        return
    bias = node.inputs[position]
    assert bias is not None
    y, shape = script.variable(node.outputs[0]), script.shape(node.outputs[0])
    axes = f".reshape{(-1, *(1,) * (len(shape) - 1))}" if len(shape) > 1 else ""
    target = script.train(bias, lambda nengo: nengo.reshape(-1))
    script.add(f"{target}add_constant({y}, {script.weights(bias)}{axes}, {shape})")


def windows_of(
    node: ir.Node, kernel: tuple[int, ...], lengths: Shape, *, pads: bool = True
) -> tuple[Shape, Shape, Shape, Shape]:
    """Kernel, strides, pads (begins, then ends) and dilations of a convolution or pooling.

    Raises:
        RefusedError: more than two axes.
    """
    n = len(lengths)
    if n > 2:
        raise RefusedError(f"Nengo has no convolutions over {n} axes")
    window = tuples(kernel)
    strides, dilations = (_integers(node, name, (1,) * n) for name in ("strides", "dilations"))
    auto_pad = node.attributes.get_string("auto_pad", "NOTSET")
    if not pads or auto_pad in ("NOTSET", "VALID"):
        return window, strides, _integers(node, "pads", (0,) * 2 * n), dilations
    total = [
        max((-(-length // s) - 1) * s + (k - 1) * d + 1 - length, 0)
        for length, k, s, d in zip(lengths, window, strides, dilations, strict=True)
    ]
    less = [pad // 2 for pad in total]
    more = [pad - half for pad, half in zip(total, less, strict=True)]
    return window, strides, tuple(less + more if auto_pad == "SAME_UPPER" else more + less), dilations


def cut_off(node: ir.Node, output: Shape, lengths: Shape, strides: Shape, window: Shape) -> Shape:
    """What a transposed convolution cuts off at each axis's begin: its pads, or what makes the shape that is wanted."""
    n = len(lengths)
    auto_pad = node.attributes.get_string("auto_pad", "NOTSET")
    if auto_pad in ("NOTSET", "VALID") and "output_shape" not in node.attributes:
        return _integers(node, "pads", (0,) * 2 * n)[:n]
    axes = lengths, strides, window, _integers(node, "output_padding", (0,) * n), output
    total = [max((i - 1) * s + k + more - o, 0) for i, s, k, more, o in zip(*axes, strict=True)]
    return tuple(t // 2 if auto_pad == "SAME_UPPER" else t - t // 2 for t in total)


def _padding(lengths: Shape, window: Shape, strides: Shape, pads: Shape) -> str | None:
    """ "valid" or "same" where that means these pads."""
    if not any(pads):
        return "valid"
    total = [
        max((-(-length // s) - 1) * s + k - length, 0) for length, k, s in zip(lengths, window, strides, strict=True)
    ]
    same = (*(t // 2 for t in total), *(t - t // 2 for t in total))
    return "same" if pads == same else None


def _padded(script: Script, node: ir.Node, source: str, shape: Shape, pads: Shape) -> tuple[str, Shape]:
    """The value with zeros around it."""
    n = len(shape) - 1
    index = np.arange(int(np.prod(shape))).reshape(shape)
    around = [(0, 0), *zip(pads[:n], pads[n:], strict=True)]
    padded = np.pad(index, around, constant_values=-1)
    name = script.new_name(f"{source}_padded")
    script.add(f"{name} = value({name!r}, {padded.size})")
    script.add(f"move({source}, {name}, {script.array(f'{node.name}/index', padded.ravel())})")
    return name, tuples(padded.shape)


def _integers(node: ir.Node, name: str, default: tuple[int, ...]) -> Shape:
    return tuples(node.attributes.get_ints(name, default))
