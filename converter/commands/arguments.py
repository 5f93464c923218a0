"""Arguments that several commands have."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import typer

from converter.io.shards import HELP
from snn_ops.library import BACKENDS


def completing(words: Iterable[str]) -> Callable[[str], list[str]]:
    """For a shell: those of the words that begin with what was typed."""
    return lambda incomplete: [word for word in words if word.startswith(incomplete)]


SpikingFile = Annotated[Path, typer.Argument(help="the spiking model, .snn.onnx", show_default=False)]
Steps = Annotated[int | None, typer.Option(help="time steps [default: those the model was made for]")]
Data = Annotated[str, typer.Option(metavar="DATA", help=HELP, show_default=False)]
Preprocess = Annotated[
    list[str] | None,
    typer.Option(
        metavar="WORDS",
        help="how pictures become samples, (scale * pixel - mean) / std, e.g. 'size=224x224 scale=1/255 "
        "mean=0.485,0.456,0.406 std=0.229,0.224,0.225 layout=NCHW'; rate=N of .wav",
    ),
]
FirstSamples = Annotated[int | None, typer.Option(min=1, help="use the first N samples only")]
Backend = Annotated[
    str, typer.Option(help=f"whose operators run: {', '.join(BACKENDS)}", autocompletion=completing(BACKENDS))
]
Provider = Annotated[str, typer.Option(help="cpu or cuda", autocompletion=completing(("cpu", "cuda")))]
ProviderOptions = Annotated[
    list[str] | None,
    typer.Option("--provider-option", metavar="KEY=VALUE", help="option of ONNX Runtime's CUDA provider; repeatable"),
]
Threads = Annotated[int | None, typer.Option(help="ONNX Runtime's threads")]
Libraries = Annotated[
    list[Path] | None,
    typer.Option(
        "--library",
        metavar="PATH",
        help="a library with operators of others that the model has; it is a program that runs here; repeatable",
    ),
]
Verbose = Annotated[
    bool,
    typer.Option("-v", "--verbose", help="say what each pass over the graph changed, and what it declined and why"),
]
MemoryTables = Annotated[bool, typer.Option("--memory-traffic", help="show the bytes that move, and their energy, too")]
Trust = Annotated[
    bool, typer.Option("--trust", help="load a trained model of a framework whose file can run code of its author")
]
EngineName = Annotated[
    str, typer.Option("--engine", metavar="local|ray", help="where it runs: in this process, or on Ray's workers")
]
RayAddress = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="of a running Ray cluster, such as auto [default: one is started here]"),
]
Json = Annotated[Path | None, typer.Option(help="write the same as JSON; - is standard output")]


def parse_numbers(text: str, option: str) -> list[int]:
    """ "4,8" -> [4, 8].

    Args:
        text: the numbers.
        option: that they were given for.

    Raises:
        typer.BadParameter: something that is no number.
    """
    try:
        return [int(word) for word in text.split(",")]
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a list of numbers like 4,8,16", param_hint=option) from None


def parse_provider_options(texts: list[str] | None) -> dict[str, str]:
    """["use_tf32=0"] -> {"use_tf32": "0"}.

    Raises:
        typer.BadParameter: a text without a key or without "=".
    """
    options = {}
    for text in texts or []:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise typer.BadParameter(f"{text!r} is not of the form KEY=VALUE", param_hint="--provider-option")
        options[key] = value
    return options
