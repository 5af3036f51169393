"""Pages as files, and in a real Chromium, which playwright drives, with what the browser says of them."""

from __future__ import annotations

import importlib.util
import io
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PLAYWRIGHT = importlib.util.find_spec("playwright")
MARKS = [
    pytest.mark.browser,
    pytest.mark.skipif(PLAYWRIGHT is None, reason="playwright is not installed: pip install playwright"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: apt-get install chromium"),
]


def data_of(page: str) -> Any:
    """Return the data in the text of a page."""
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    return json.loads(text)


# Texts that are hard to read: their contrast to what lies behind them is below what WCAG asks for, 4.5 to 1.
FAINT = """() => {
  const numbers = (colour) => (colour.match(/[\\d.]+/g) || []).map(Number);
  const luminance = (colour) => {
    const [r, g, b] = numbers(colour).slice(0, 3).map((part) => part / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const { backgroundColor } = getComputedStyle(each);
      if (backgroundColor.startsWith("rgb") && numbers(backgroundColor)[3] !== 0) return backgroundColor;
      if (!backgroundColor.startsWith("rgb")) return null; // mixed with what is behind: a tinted cell
    }
    return null;
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    if (!own || element.namespaceURI.endsWith("svg") || element.disabled || !element.getClientRects().length) continue;
    const paper = behind(element);
    if (!paper) continue;
    const [one, other] = [luminance(getComputedStyle(element).color), luminance(paper)];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (contrast < 4.5) found.push(`${element.textContent.trim().slice(0, 40)}: ${contrast.toFixed(2)}`);
  }
  return found;
}"""


@contextmanager
def chromium() -> Iterator[Any]:
    """Start a browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


class Page:
    """A page that is open, and what the browser has said of it."""

    def __init__(self, browser: Any, path: Path, seen: Any, **options: Any) -> None:
        seen.to_html(path, title=options.pop("title", "One training step"))
        self.seen = seen
        self.context = browser.new_context(**{"locale": "en-US", "viewport": {"width": 1300, "height": 900}, **options})
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())

    def close(self) -> None:
        self.context.close()
        assert self.complaints == []
        assert [url for url in self.requests if not url.startswith("file:")] == []
        assert len(self.requests) == 1

    def waits_for(self, selector: str, text: str) -> None:
        from playwright.sync_api import expect

        expect(self.page.locator(selector)).to_have_text(text, timeout=60_000)

    def paper(self) -> str:
        """Return the colour behind everything."""
        return str(self.page.evaluate("getComputedStyle(document.body).backgroundColor"))

    def brightness(self) -> float:
        """Return how bright a picture of the page is, from 0 to 1; one of a single colour is no picture."""
        from matplotlib.image import imread

        pixels = imread(io.BytesIO(self.page.screenshot()))[..., :3]
        assert pixels.std() > 0.05
        return float(pixels.mean())

    def is_readable(self, scheme: str) -> None:
        """Look at the page in a scheme of colours: it is as bright as that says, and no text is faint."""
        assert (self.brightness() > 0.7) == (scheme == "light")
        assert (self.brightness() < 0.3) == (scheme == "dark")
        faint = self.page.evaluate(FAINT)
        assert not faint, faint

    def text(self, selector: str) -> str:
        return str(self.page.inner_text(selector))

    def number(self, selector: str) -> float:
        return float(self.page.get_attribute(selector, "value"))

    def step(self) -> int:
        return int(self.page.get_attribute("#steps [aria-current]", "data-step"))

    def chosen(self) -> tuple[str, str]:
        """Return which weight's chain is shown."""
        return self.page.input_value("#chain-row"), self.page.input_value("#chain-column")

    def table(self, figure: str = "figure.result") -> dict[tuple[int, int], float]:
        """Read all cells that an array shows, with all their digits."""
        cells = self.page.eval_on_selector_all(
            f"{figure} td[data-row]",
            "all => all.map(c => [c.dataset.row, c.dataset.column, c.querySelector('data').value])",
        )
        return {(int(row), int(column)): float(value) for row, column, value in cells}

    def shows(self, values: Any) -> None:
        """Compare the array that the step computes with one of the trace, to the last bit."""
        matrix = values.reshape(-1, values.shape[-1])
        table = self.table()
        assert len(table) == min(8, matrix.shape[0]) * min(10, matrix.shape[1])
        for at, value in table.items():
            assert value == float(matrix[at])
