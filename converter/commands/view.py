"""onnx-snn view"""

from __future__ import annotations

import webbrowser
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from converter.normalise.frameworks import framework_of
from converter.report.console import messages, results


def view_command(
    model: Annotated[Path, typer.Argument(help="a spiking or a trained model", show_default=False)],
    port: Annotated[int, typer.Option(help="of the page on this machine; 0: a free one", min=0, max=65535)] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="open the page in the browser")] = True,
    bodies: Annotated[
        bool, typer.Option("--bodies", help="our operators with their function bodies, in place of what they are")
    ] = False,
) -> None:
    """Show a model in Netron, with our operators explained, until Ctrl-C. Nothing leaves this machine."""
    from converter.report.netron_view import Viewer, other_page, page_of  # noqa: PLC0415

    page = other_page(model) if framework_of(model) else page_of(model, bodies=bodies)
    viewer = Viewer(page, port)
    results().print(viewer.url)
    messages().print(f"{page.name} is shown there until Ctrl-C is pressed")
    if browser:
        webbrowser.open(viewer.url)
    with suppress(KeyboardInterrupt):
        viewer.serve()
    viewer.close_port()
