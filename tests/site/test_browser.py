"""The built site in a real browser: front page, search and gallery, without a complaint and without another host."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SITE = Path(__file__).resolve().parents[2] / "docs" / "_build" / "html"
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: apt-get install chromium"),
    pytest.mark.skipif(not (SITE / "index.html").exists(), reason="no site: sphinx-build -W docs docs/_build/html"),
]
GALLERY = [
    "gallery/understanding/plot_one_step.html",
    "gallery/networks/plot_autoencoder.html",
    "gallery/tables/plot_house_prices.html",
]
PAGES = ["index.html", *GALLERY, "gallery/index.html", "api/cnn_core.layers.Dense.html", "mathematics.html"]
PAGES += ["mathematics_zh.html", "benchmarks/index.html", "tables.html"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


class Quiet(SimpleHTTPRequestHandler):
    """Serves the site's files and says nothing about it."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Serve the site as any server of files would, and return where."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(SITE))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture
def open_page(browser: Any, address: str) -> Iterator[Any]:
    """Return what opens a page; at the end nothing may have complained, failed or asked another host."""
    contexts, complaints, requests = [], [], []

    def open_one(name: str, **options: Any) -> Any:
        contexts.append(browser.new_context(**{"viewport": {"width": 1300, "height": 900}, **options}))
        page = contexts[-1].new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.on("response", lambda response: complaints.append(response.url) if response.status >= 400 else None)
        page.goto(address + name)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []
    assert [url for url in requests if not url.startswith((address, "data:"))] == []


@pytest.mark.parametrize("name", PAGES)
def test_page_opens_with_all_its_pictures(open_page: Any, name: str):
    page = open_page(name)
    assert page.inner_text("h1").strip(" #")
    page.eval_on_selector_all("img", "all => all.forEach(each => each.loading = 'eager')")
    page.wait_for_load_state("networkidle")
    blank = page.eval_on_selector_all("img", "all => all.filter(e => !e.naturalWidth).map(e => e.src)")
    assert blank == []


@pytest.mark.parametrize("name", GALLERY)
def test_example_has_a_picture_and_leads_to_the_reference(open_page: Any, name: str):
    page = open_page(name)
    assert page.locator("img.sphx-glr-single-img, img.sphx-glr-multi-img").count() >= 1
    assert page.locator("a.sphx-glr-backref-module-cnn_core, a[href*='api/cnn_core']").count() >= 1


def test_search_finds_a_layer_and_leads_to_it(open_page: Any):
    page = open_page("index.html")
    page.keyboard.press("Control+k")
    page.keyboard.type("EinsumDense")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html*")
    first = page.locator("#search-results li a").first
    first.wait_for()
    assert "EinsumDense" in first.inner_text()
    first.click()
    page.wait_for_url("**/api/cnn_core.layers.EinsumDense.html*")


def test_search_that_finds_nothing_says_so(open_page: Any):
    page = open_page("index.html")
    page.keyboard.press("Control+k")
    page.keyboard.type("zzqqxx")
    page.keyboard.press("Enter")
    api.expect(page.locator("#search-results")).to_contain_text("did not match any documents")


def test_links_of_the_front_page_lead_somewhere(open_page: Any, address: str):
    page = open_page("index.html")
    links = page.eval_on_selector_all("a[href]", "all => all.map(each => each.href.split('#')[0])")
    local = {link.removeprefix(address) for link in links if link.startswith(address)}
    assert len(local) >= 15
    assert [link for link in local if not (SITE / link).exists()] == []


def test_the_film_plays_from_its_example(open_page: Any):
    page = open_page("gallery/understanding/plot_film.html")
    page.click("a[href$='film.html']")
    page.wait_for_url("**/film.html")
    page.keyboard.press("End")
    assert page.inner_text("#frame-label") == "Epoch 30"


def test_the_step_page_walks_from_the_front_page(open_page: Any):
    page = open_page("index.html")
    page.click(".step-page")
    page.wait_for_url("**/step.html")
    page.keyboard.press("ArrowRight")
    assert page.get_attribute("#steps [aria-current]", "data-step") == "1"


@pytest.mark.parametrize("name", PAGES)
def test_a_telephone_scrolls_in_one_direction_only(open_page: Any, name: str):
    page = open_page(name, viewport={"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_light_and_dark_follow_the_system(open_page: Any, scheme: str, dark: bool):
    page = open_page("benchmarks/index.html", color_scheme=scheme)
    assert page.get_attribute("html", "data-theme") == scheme
    paper, ink = (
        page.eval_on_selector(selector, "each => getComputedStyle(each).fill")
        for selector in ("svg.chart .paper", "svg.chart text")
    )
    brightness = [sum(map(int, colour.strip("rgb()").split(","))) for colour in (paper, ink)]
    assert (brightness[0] < brightness[1]) is dark


def test_chinese_pages_say_that_they_are(open_page: Any):
    assert open_page("mathematics_zh.html").get_attribute("html", "lang") == "zh"
    assert open_page("mathematics.html").get_attribute("html", "lang") == "en"
