"""Hooks of MkDocs (mkdocs.yml): the repository's own pages and sources, formulas, diagrams.

The pages are written for a reader of the repository, so they link to sources and to pages beside the docs folder. On the site
these links lead to copies: pages of the root become pages of the site, a source becomes a page that shows it, a folder one that
lists it. Formulas become MathML, with the font that it is set in, and diagrams SVG when the site is built, so that a reader's
browser has nothing to fetch.
"""

from __future__ import annotations

import posixpath
import re
from html import unescape
from importlib import resources
from pathlib import Path

import latex2mathml.converter
import mermaidx
import nbformat
from fontTools import subset
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
BESIDE = {
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "SECURITY.md": "SECURITY.md",
    "CHANGELOG.md": "CHANGELOG.md",
}
"""Pages beside the docs folder that are pages of the site too, and their names there."""
INSTEAD = {"README.md": "index.md", "examples/web/README.md": "deploy-browser.md"}
"""By a page of the repository, what the site has in its place."""
NOTEBOOKS = "notebooks"
"""Folder of the site for the pages that examples/notebooks become, with the outputs that are in the files."""
SOURCES = "source"
"""Folder of the site for sources that pages link to."""
LARGEST = 100_000
"""Bytes of a source that is shown; a larger one is a file to download."""
LANGUAGES = {".py": "python", ".h": "cpp", ".cc": "cpp", ".cu": "cpp", ".toml": "toml", ".json": "json", ".sh": "sh"}
LINK = re.compile(r"(\[[^\]\[]*\]\()([^)\s#]+)(#[^)\s]*)?\)")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
MERMAID = re.compile(r"^```mermaid\n(.*?)^```", re.MULTILINE | re.DOTALL)
TEST_COMMENT = re.compile(r"^<!-- docs: .*?-->\n", re.MULTILINE)
"""What tests/docs reads; nothing for a reader."""
FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)

CHARACTERS = (
    (0x20, 0x250), (0x300, 0x340), (0x370, 0x400), (0x2000, 0x2070), (0x2100, 0x2400), (0x27E0, 0x2800), (0x1D400, 0x1D4D0),
    (0x1D6A8, 0x1D770),
)  # fmt: skip
"""Of formulas: Latin, accents, Greek, punctuation, operators and arrows, brackets, bold and italic letters."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages beside the docs folder, the notebooks, and a page for each source and folder that a page links to."""
    for name, address in BESIDE.items():
        if (ROOT / name).exists():
            files.append(File.generated(config, address, content=(ROOT / name).read_text()))
    for notebook in sorted((ROOT / "examples" / "notebooks").glob("*.ipynb")):
        files.append(File.generated(config, f"{NOTEBOOKS}/{notebook.stem}.md", content=notebook_page(notebook)))
    targets = set()
    for file in files.documentation_pages():
        for _, link, _ in LINK.findall(FENCE.sub("", file.content_string)):
            target = in_repository(file.src_uri, link)
            if target and target.exists() and site_page(target) is None:
                targets.add(target)
    for target in sorted(targets):
        shown = source_page(target)
        address = source_address(target)
        files.append(
            File.generated(config, address, abs_src_path=str(target))
            if shown is None
            else File.generated(config, address, content=shown)
        )
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Leads links to copies, draws diagrams, leaves out what only the tests read."""
    if page.file.src_uri.startswith((f"{SOURCES}/", f"{NOTEBOOKS}/")):
        return markdown
    markdown = TEST_COMMENT.sub("", markdown)
    markdown = MERMAID.sub(lambda found: f'<div class="diagram">{diagram(found[1])}</div>\n', markdown)
    return LINK.sub(lambda found: f"{found[1]}{site_link(page.file.src_uri, found[2])}{found[3] or ''})", markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Formulas as MathML."""
    return FORMULA.sub(lambda found: formula(unescape(found[2]).strip(), display=found[1] == "div"), html)


def on_post_build(config: MkDocsConfig) -> None:
    """The font of formulas: what they need of STIX Two Math (SIL Open Font License), which ziamath brings."""
    options = subset.Options(layout_features=["*"], flavor="woff2")
    with resources.as_file(resources.files("ziamath") / "fonts" / "STIXTwoMath-Regular.ttf") as path:
        font = subset.load_font(str(path), options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=[code for first, last in CHARACTERS for code in range(first, last)])
    subsetter.subset(font)
    subset.save_font(font, str(Path(config.site_dir) / "stylesheets" / "math.woff2"), options)


def in_repository(page: str, link: str) -> Path | None:
    """What a link of a page leads to; None: not into the repository."""
    if re.match(r"[a-z]+:", link) or link.startswith("/"):
        return None
    beside = next((name for name, address in BESIDE.items() if address == page), None)
    target = Path(posixpath.normpath((ROOT / (beside or f"docs/{page}")).parent / link))
    return target if target.is_relative_to(ROOT) else None


def site_page(target: Path) -> str | None:
    """The page of the site that a page of the repository is, as an address in the docs folder."""
    name = target.relative_to(ROOT).as_posix()
    if name in INSTEAD:
        return INSTEAD[name]
    if name in BESIDE:
        return BESIDE[name]
    if target.suffix == ".ipynb":
        return f"{NOTEBOOKS}/{target.stem}.md"
    return name.removeprefix("docs/") if name.startswith("docs/") and target.is_file() else None


def notebook_page(path: Path) -> str:
    """A notebook's texts, code and outputs."""
    parts = []
    for cell in nbformat.read(path, 4).cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        parts.append(f"```python\n{cell.source}\n```")
        for output in cell.outputs:
            data = output.get("data", {})
            if "image/png" in data:
                parts.append(f'<img alt="a plot" src="data:image/png;base64,{"".join(data["image/png"].split())}">')
            else:
                parts.append(f"```text\n{output.get('text', data.get('text/plain', '')).rstrip()}\n```")
    name = path.relative_to(ROOT).as_posix()
    return "\n\n".join([*parts, f"---\n\nThe notebook: `{name}`."]) + "\n"


def source_address(target: Path) -> str:
    """Where the site has a source."""
    name = f"{SOURCES}/{target.relative_to(ROOT).as_posix()}"
    return name if source_page(target) is None else f"{name}/index.md" if target.is_dir() else f"{name}.md"


def source_page(target: Path) -> str | None:
    """A page that shows a source or lists a folder; None where it is too large or no text."""
    name = target.relative_to(ROOT).as_posix()
    head = f"---\ntitle: {name}\nsearch:\n  exclude: true\n---\n\n# {name}\n\n"
    if target.is_dir():
        entries = sorted(path.name + "/" * path.is_dir() for path in target.iterdir() if path.name[0] not in "._")
        return head + "".join(f"* `{entry}`\n" for entry in entries)
    if target.stat().st_size > LARGEST:
        return None
    text = target.read_text()
    if target.suffix == ".md":
        return head + LINK.sub(lambda found: found[1].removesuffix("(").strip("[]"), text.partition("\n")[2])
    return f"{head}````{LANGUAGES.get(target.suffix, 'text')}\n{text.rstrip()}\n````\n"


def site_link(page: str, link: str) -> str:
    """A page's link as the site needs it."""
    target = in_repository(page, link)
    if target is None or not target.exists():
        return link
    address = site_page(target) or source_address(target)
    return posixpath.relpath(address, posixpath.dirname(page) or ".")


def formula(text: str, *, display: bool) -> str:
    """A formula in LaTeX as MathML; one on its own line scrolls by itself where the screen is narrow."""
    math = latex2mathml.converter.convert(text, display="block" if display else "inline")
    return f'<div class="formula">{math}</div>' if display else math


def diagram(text: str) -> str:
    """An SVG element: Mermaid's drawing of the text."""
    svg = mermaidx.render(text).svg()
    return svg[svg.index("<svg") :].replace("\n\n", "\n")
