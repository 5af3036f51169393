"""The page of a history in a real browser: pictures, table, keyboard, both languages, light and dark, a telephone."""

from __future__ import annotations

from typing import Any

import pytest

import browsing
from callback_cases import FakeModel, train
from cnn_core.callbacks import History

pytestmark = browsing.MARKS

N_EPOCHS = 30
BEST = 12


def history() -> History:
    values = [
        {
            "loss": 1.0 / (1 + epoch),
            "accuracy": 1.0 - 0.5 / (1 + epoch),
            "learning_rate": 0.5**epoch,
            **({} if epoch % 2 else {"val_loss": 0.5 + abs(epoch - BEST) / 30}),
        }
        for epoch in range(N_EPOCHS)
    ]
    values[5]["loss"] = float("nan")
    return train(FakeModel(), None, values).history


def epoch(page: Any) -> int:
    (row,) = page.page.eval_on_selector_all("tr[aria-current]", "all => all.map(each => Number(each.dataset.row))")
    return int(row)


def shown(page: Any) -> dict[str, float]:
    """Return what stands below the pictures."""
    pairs = page.page.eval_on_selector_all("data[data-key]", "all => all.map(each => [each.dataset.key, each.value])")
    return {key: float(value) for key, value in pairs}


def test_every_epoch_shows_the_values_of_the_history(open_page: Any) -> None:
    seen = history()
    page = open_page(seen)
    assert epoch(page) == BEST
    assert page.text("#best") == f"Best epoch: {BEST}"
    assert page.page.locator("section.panel").count() == 3
    for number in range(N_EPOCHS):
        page.page.evaluate(
            "value => { const field = document.getElementById('epoch'); field.value = value;"
            " field.dispatchEvent(new Event('input')); }",
            number,
        )
        assert page.text("#epoch-label") == f"Epoch {number}"
        wanted = {name: seen.history[name][number] for name in ("loss", "accuracy", "learning_rate")}
        if number % 2 == 0:
            wanted["val_loss"] = seen.history["val_loss"][number // 2]
        assert shown(page) == pytest.approx(wanted, rel=0, abs=0, nan_ok=True)
    cells = page.page.eval_on_selector_all(
        "#table tbody tr", "all => all.map(row => [...row.querySelectorAll('data')].map(each => Number(each.value)))"
    )
    columns = [seen.history[name] for name in ("accuracy", "learning_rate", "loss")]
    assert [row[:3] for row in cells] == [
        pytest.approx(list(row), rel=0, abs=0, nan_ok=True) for row in zip(*columns, strict=True)
    ]
    assert [row[3] for row in cells[::2]] == seen.history["val_loss"]


def test_a_line_is_broken_where_a_value_is_no_number(open_page: Any) -> None:
    page = open_page(history())
    lines = page.page.eval_on_selector_all(
        "section[aria-label=loss] .picture polyline",
        "all => all.map(each => each.getAttribute('points').split(' ').length)",
    )
    assert lines == [5, N_EPOCHS - 6, N_EPOCHS // 2]  # before and after the epoch, and the validation


def test_the_keyboard_alone_is_enough(open_page: Any) -> None:
    page = open_page(history())
    keys = [("End", N_EPOCHS - 1), ("ArrowRight", N_EPOCHS - 1), ("ArrowLeft", N_EPOCHS - 2), ("Home", 0)]
    for key, number in [*keys, ("ArrowLeft", 0), ("ArrowRight", 1), ("b", BEST)]:
        page.page.keyboard.press(key)
        assert epoch(page) == number
    page.page.keyboard.press("l")
    assert page.page.get_attribute("#log", "aria-pressed") == "true"
    page.page.focus("#best")
    page.page.keyboard.press("Home")
    page.page.keyboard.press("Enter")
    assert epoch(page) == BEST


def test_rows_and_pictures_are_clicked(open_page: Any) -> None:
    page = open_page(history())
    page.page.click("#table tr[data-row='3'] td")
    assert epoch(page) == 3
    drawn = page.page.locator("section.panel svg[role=img]").first
    drawn.click(position={"x": drawn.bounding_box()["width"] * (64 + 476) / 560, "y": 80})
    assert epoch(page) == N_EPOCHS - 1
    before = page.page.locator("section[aria-label=loss] polyline").first.get_attribute("points")
    page.page.click("#log")
    assert page.page.locator("section[aria-label=loss] polyline").first.get_attribute("points") != before


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_languages_in_light_and_dark(open_page: Any, scheme: str) -> None:
    page = open_page(history(), color_scheme=scheme)
    before = page.paper()
    assert before == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(15, 20, 25)")
    page.page.click("#theme")
    assert page.paper() != before
    page.page.click("#language")
    assert page.page.get_attribute("html", "lang") == "zh"
    assert page.text("#epoch-label") == f"轮次 {BEST}"
    assert "undefined" not in page.text("body")
    assert "{" not in page.text("body")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_readable_in_light_and_dark(open_page: Any, scheme: str) -> None:
    pytest.importorskip("matplotlib")
    page = open_page(history(), color_scheme=scheme)
    page.is_readable(scheme)
    page.page.click("#log")
    page.is_readable(scheme)


def test_one_epoch_and_many_thousands(open_page: Any) -> None:
    page = open_page(train(FakeModel(), None, [{"loss": 0.5}]).history)
    assert shown(page) == {"loss": 0.5}
    assert page.page.is_hidden("#best")
    page = open_page(train(FakeModel(), None, [{"loss": float(value)} for value in range(3000)]).history)
    assert epoch(page) == 2999
    assert page.page.locator("#table tbody tr").count() == 500
    page.page.keyboard.press("Home")
    assert epoch(page) == 0


def test_a_telephone_scrolls_in_one_direction_only(open_page: Any) -> None:
    page = open_page(history(), viewport={"width": 390, "height": 800})
    assert page.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_names_are_text(open_page: Any) -> None:
    name = "<img src=x onerror=alert(1)>"
    page = open_page(train(FakeModel(), None, [{name: 0.5}]).history, title=name)
    assert page.text("h1") == name
    assert page.page.locator("img").count() == 0
