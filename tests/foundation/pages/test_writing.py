"""What holds for all pages: their files are whole, their scripts harmless, their languages say the same."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import pytest

import cnn_core
from browsing import data_of
from cnn_core.callbacks.page.writing import SCRIPTS
from cnn_core.foundation.pages.writing import filled_in, json_number, write
from cnn_core.inspection.page.writing import FILM_SCRIPTS, STEP_SCRIPTS

PACKAGE = Path(cnn_core.__file__).parent
SHARED = PACKAGE / "foundation" / "pages"
PAGES = [
    (PACKAGE / "inspection" / "page", STEP_SCRIPTS),
    (PACKAGE / "inspection" / "page", FILM_SCRIPTS),
    (PACKAGE / "callbacks" / "page", SCRIPTS),
]
HOSTILE = "</script><img src=x onerror=alert(1)>{{script}}"


def test_data_and_titles_stay_text() -> None:
    page = filled_in("cnn_core.callbacks.page", "history.html", SCRIPTS, {"name": HOSTILE}, HOSTILE)
    assert page.count("<script") == page.count("</script>") == 2
    assert "<img" not in page
    assert data_of(page) == {"name": HOSTILE}
    assert page.count("{{script}}") == 3  # data, and the title twice


def test_every_part_is_filled_in_and_every_script_used_once() -> None:
    page = filled_in("cnn_core.callbacks.page", "history.html", SCRIPTS, 0, "title", shared=["axes.js"])
    assert "{{" not in page
    for name in ("elements.js", "axes.js"):
        assert page.count((SHARED / name).read_text(encoding="utf-8").strip()) == 1
    assert page.count("<header>") == page.count("</header>") == page.count("<main") == page.count("</main>") == 1


def test_numbers_that_json_has_not() -> None:
    numbers = [0.5, 3, float("nan"), float("inf"), float("-inf")]
    assert list(map(json_number, numbers)) == [0.5, 3, "NaN", "Infinity", "-Infinity"]


def test_a_page_is_written_where_a_path_is_named(tmp_path: Path) -> None:
    assert write("页", tmp_path / "page.html") == write("页", None) == "页"
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == "页"


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.js")), ids=lambda path: path.name)
def test_scripts_never_make_markup_from_text(path: Path) -> None:
    markup = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\("
    assert not re.search(markup, path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("folder", "scripts"), PAGES, ids=["step", "film", "history"])
def test_both_languages_say_the_same_things(folder: Path, scripts: tuple[str, ...]) -> None:
    (texts,) = [name for name in scripts if name.endswith("_texts.js")]
    text = (folder / texts).read_text(encoding="utf-8")
    english, chinese = re.findall(r"^  (?:en|zh): \{\n(.*?)^  \},", text, re.DOTALL | re.MULTILINE)
    said = [dict(re.findall(r'^    (\w+): "(.*)",$', part, re.MULTILINE)) for part in (english, chinese)]
    assert list(said[0]) == list(said[1])
    for key, sentence in said[0].items():
        assert sorted(re.findall(r"\{\w+\}", sentence)) == sorted(re.findall(r"\{\w+\}", said[1][key])), key
        assert not re.search(r"[\u4e00-\u9fff]\s?[,;:?]", said[1][key]), "Chinese has commas of its own"
    code = "".join((folder / name).read_text(encoding="utf-8") for name in scripts if name != texts)
    used = set(re.findall(r"\"(\w+)\"", code)) | set(re.findall(r"^  (\w+)[(:]", code, re.MULTILINE))
    assert set(said[0]) - used == set(), "texts that nothing says"
    assert set(re.findall(r"""\bsay\("(\w+)\"""", code)) <= set(said[0])


def test_all_pages_together_are_small_in_a_wheel() -> None:
    files = [
        path for folder in {SHARED, *(folder for folder, _ in PAGES)} for path in folder.iterdir() if path.is_file()
    ]
    assert sum(len(zlib.compress(path.read_bytes())) for path in files) < 40_000
