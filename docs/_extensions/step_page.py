"""Put the page of one training step beside the others: that of the gallery's example, as `trace.to_html` writes it."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "understanding" / "plot_one_step.py"


def write(app: Any, exception: Exception | None) -> None:
    """Write the page into a finished site."""
    if exception is None and app.builder.format == "html":
        trace = runpy.run_path(str(EXAMPLE))["trace"]
        trace.to_html(Path(app.outdir) / "step.html")


def setup(app: Any) -> dict[str, bool]:
    """Write it when all other pages are there."""
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
