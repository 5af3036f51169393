"""Documents of the repository become pages of the site: their links lead to pages, their examples have colours.

Documents link as one reads them in the repository, `../CHANGELOG.md`; some are taken into the site by a page that
includes them. A link to a file that is no page becomes its name.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from docutils import nodes

ROOT = Path(__file__).resolve().parents[2]
# What lies outside of docs/, and the page that includes it.
PAGES = {
    "CHANGELOG.md": "project/changelog.md",
    "CODE_OF_CONDUCT.md": "project/conduct.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "CITATION.cff": "project/citing.md",
    "README.md": "index.md",
    **{
        f"benchmarks/{name}.md": f"benchmarks/{name}.md"
        for name in ("speed", "avx512", "layer_costs", "sklearn_mlp", "tables")
    },
    "benchmarks/README.md": "benchmarks/method.md",
}
# A page that has a folder of its own name leads to the pages in it.
CHILDREN = """
```{{toctree}}
:hidden:
:glob:

{folder}/*
```
"""
LINK = re.compile(r"(?<!`)\[(?P<text>[^\]]*)\]\((?P<path>[^)\s#:]+)(?P<anchor>#[^)\s]*)?\)")


def page_of(path: Path) -> str | None:
    """Return the page that shows a file of the repository; None if there is none."""
    within = path.resolve().relative_to(ROOT).as_posix()
    if within in PAGES:
        return PAGES[within]
    if path.match("examples/*/plot_*.py"):
        return f"gallery/{path.parent.name}/{path.stem}.rst"
    inside = within.removeprefix("docs/")
    return inside if inside != within and path.suffix == ".md" else None


def rewrite(text: str, folder: Path) -> str:
    """Return a document whose links, relative to a folder, lead to pages of the site."""

    def link(match: re.Match[str]) -> str:
        path = folder / match["path"]
        if not path.is_file() or path.suffix in (".svg", ".png", ".ipynb"):
            return match[0]
        page = page_of(path)
        return f"[{match['text']}](/{page}{match['anchor'] or ''})" if page else match["text"]

    return LINK.sub(link, text)


def on_source(app: Any, name: str, source: list[str]) -> None:
    """Rewrite a page that Sphinx reads."""
    path = Path(app.env.doc2path(name))
    if path.suffix == ".md":
        source[0] = rewrite(source[0], path.parent)
    if path.with_suffix("").is_dir():
        source[0] += CHILDREN.format(folder=path.stem)


def on_include(app: Any, path: Path, _: str, source: list[str]) -> None:
    """Rewrite a document that a page includes."""
    source[0] = rewrite(source[0], (Path(app.srcdir) / path).parent)


def colour_prompts(_: Any, document: nodes.document) -> None:
    """Show indented examples in colours, as fenced ones are."""
    for block in document.findall(nodes.literal_block):
        if block.astext().startswith(">>>"):
            block["language"] = "pycon"


def set_language(_: Any, name: str, __: str, context: dict[str, Any], ___: Any) -> None:
    """Tell browsers and readers of screens which pages are in Chinese."""
    if name.partition("/")[0].endswith("_zh"):
        context["language"] = "zh"


def setup(app: Any) -> dict[str, bool]:
    """Rewrite all that is read."""
    app.connect("source-read", on_source)
    app.connect("include-read", on_include)
    app.connect("html-page-context", set_language)
    app.connect("doctree-read", colour_prompts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
