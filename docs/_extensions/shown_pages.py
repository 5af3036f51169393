"""Put pages that the library itself writes beside the others: those of the gallery's examples."""

from __future__ import annotations

import contextlib
import io
import runpy
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "understanding"
# The page, the script that makes what it shows, and the name under which the script has it.
PAGES = (("step.html", "plot_one_step.py", "trace"), ("film.html", "plot_film.py", "film"))


def write(app: Any, exception: Exception | None) -> None:
    """Write the pages into a finished site."""
    if exception is None and app.builder.format == "html":
        for page, script, name in PAGES:
            with contextlib.redirect_stdout(io.StringIO()):
                shown = runpy.run_path(str(EXAMPLES / script))[name]
            shown.to_html(Path(app.outdir) / page)


def setup(app: Any) -> dict[str, bool]:
    """Write them when all other pages are there."""
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
