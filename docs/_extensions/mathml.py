"""Formulas as MathML, which every browser of today draws by itself: no script and no font to fetch."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging
from sphinx.util.math import wrap_displaymath

LOGGER = logging.getLogger(__name__)
# Commands of LaTeX that the translator does not know, and what says the same.
SAME = {r"\dots": r"\ldots", r"\lVert": r"\|", r"\rVert": r"\|", r"\tfrac": r"\frac", r"\dfrac": r"\frac"}
# It would read the digits of \frac12 as one number, and sets names of functions without the space around them.
REWRITTEN = (
    (r"\\[a-zA-Z]+", lambda match: SAME.get(match[0], match[0])),
    (r"\\frac\s*(\d)(\d|[a-zA-Z])", r"\\frac{\1}{\2}"),
    (r"(?<=[\w}])\s*\\(log|exp|max|min)\b", r"\\,\\\1"),
    (r"\\(log|exp|max|min)(?=\s*[a-zA-Z\\])", r"\\\1\\,"),
)


def translated(text: str, *, display: bool) -> str:
    """Return a formula of LaTeX as MathML."""
    for pattern, replacement in REWRITTEN:
        text = re.sub(pattern, replacement, text.strip())
    return str(tex2mathml(text, as_block=display))


def formula(node: nodes.Element, text: str, *, display: bool) -> str:
    """Return a formula as MathML; one that cannot be read is shown as it stands, with a warning."""
    try:
        return translated(text, display=display)
    except MathError as error:
        LOGGER.warning("formula cannot be read: %s", error, location=node)
        return f"<code>{nodes.unescape(text)}</code>"


def visit_inline(translator: Any, node: nodes.Element) -> None:
    """Write a formula that stands in a line."""
    translator.body.append(formula(node, node.astext(), display=False))
    raise nodes.SkipNode


def visit_block(translator: Any, node: nodes.Element) -> None:
    """Write a formula on lines of its own."""
    text = node.astext()
    if r"\\" in text and r"\begin" not in text:
        text = wrap_displaymath(text, "", numbering=False)
    translator.body.append(translator.starttag(node, "div", CLASS="math"))
    translator.body.append(formula(node, text, display=True))
    translator.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, bool]:
    """Make this the way in which Sphinx writes formulas."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    app.config.html_math_renderer = "mathml"
    return {"parallel_read_safe": True, "parallel_write_safe": True}
