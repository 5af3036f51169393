"""Take the picture of the step page: `python docs/images/photograph.py`, with playwright, Pillow and Chromium."""

from __future__ import annotations

import io
import runpy
import shutil
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
STEPS = 8  # how far to go through the step: into the backward pass


def main() -> None:
    """Open the page of the gallery's example, walk into it, and save what is seen."""
    from PIL import Image
    from playwright.sync_api import sync_playwright

    trace = runpy.run_path(str(FOLDER.parents[1] / "examples" / "understanding" / "plot_one_step.py"))["trace"]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        trace.to_html(Path(folder, "step.html"))
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1060, "height": 1010}, color_scheme="light", locale="en-US")
        page.goto(Path(folder, "step.html").as_uri())
        for _ in range(STEPS):
            page.keyboard.press("ArrowRight")
        seen = Image.open(io.BytesIO(page.screenshot()))
        seen.quantize(64).save(FOLDER / "step.png", optimize=True)
        browser.close()


if __name__ == "__main__":
    main()
