"""The page in a real browser: all controls and numbers, the keyboard, both languages, light and dark, a telephone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import browsing
import picture_cases
import tolerances

pytestmark = browsing.MARKS


def test_forward_and_backward_walk_through_the_worked_example(open_page: Any) -> None:
    page = open_page(picture_cases.worked())
    hidden, output = page.seen.layers
    for values in (hidden.z, hidden.a, output.z, output.a):
        assert page.page.is_disabled("#backward")
        page.page.click("#forward")
        page.shows(values)
    page.page.click("#forward")
    assert page.number("#value") == page.seen.loss == pytest.approx(0.234375)
    assert page.page.is_disabled("#forward")
    back = (output.da, output.delta, output.dW, output.db, output.d_inputs[0], hidden.delta, hidden.dW, hidden.db)
    for values in back:
        page.page.click("#backward")
        page.shows(values)
    assert page.page.is_disabled("#backward")
    page.page.click("#undo")
    page.shows(hidden.dW)
    page.page.click("#restart")
    assert page.step() == 0
    assert page.page.is_disabled("#undo")


def test_formulas_have_this_steps_numbers(open_page: Any) -> None:
    page = open_page(picture_cases.worked())
    page.page.click("#forward")
    assert page.text("#formula").replace("\n", "") == "zhidden = ax · Whidden + bhidden"
    page.page.click('figure.result td[data-row="0"][data-column="2"]')
    assert page.text("#numbers").endswith("[0, 2] = 1 · 1.0986 + 2 · (−1.0986) + (−1) · 1.0986 + 0 = −2.19722")
    lit = page.page.eval_on_selector_all("td.lit", "all => all.map(c => c.innerText)")
    assert lit == ["1", "2", "−1", "1.099", "−1.099", "1.099", "0"]  # a row of x, a column of W, an element of b
    page.page.click('#steps [data-step="8"]')
    page.page.click('figure.result td[data-row="3"][data-column="1"]')
    assert page.text("#numbers").endswith("[3, 1] = 0.5 · 0.023438 + 0.75 · (−0.070313) = −0.0410156")
    assert "dW has the shape of W: (4, 2) ✓" in page.text(".shapes")


def test_the_chain_of_every_weight(open_page: Any) -> None:
    page = open_page(picture_cases.worked())
    for layer in page.seen:
        page.page.select_option("#chain-layer", label=layer.name)
        for (j, k), gradient in np.ndenumerate(layer.dW):
            page.page.fill("#chain-row", str(j))
            page.page.fill("#chain-column", str(k))
            assert page.number("#chain-sum") == gradient
            a = page.seen.inputs["x"] if layer.name == "hidden" else picture_cases.HIDDEN_A
            share = a[0, j] * layer.delta[0, k]
            tolerances.close(page.number("#chain-share"), share, 10 * tolerances.BY_HAND)
            paths = page.page.eval_on_selector_all(
                "#chain li", "all => all.map(li => [...li.querySelectorAll('data')].map(each => Number(each.value)))"
            )
            assert len(paths) == (2 if layer.name == "hidden" else 1)
            assert all(len(path) == (6 if layer.name == "hidden" else 4) for path in paths)
            for *factors, product in paths:
                assert np.prod(factors) == pytest.approx(product, rel=1e-12, abs=1e-300)
            tolerances.close(sum(path[-1] for path in paths), share, 10 * tolerances.BY_HAND)


def test_a_weight_is_chosen_in_the_picture_and_a_sample_by_its_number(open_page: Any) -> None:
    page = open_page(picture_cases.worked())
    lines = page.page.query_selector_all("#network .touch")
    assert len(lines) == 12 + 8
    lines[12 + 2 * 2 + 1].dispatch_event("click")
    assert page.chosen() == ("2", "1")
    assert page.number("#chain-sum") == page.seen["output"].dW[2, 1]
    page.page.fill("#sample", "1")
    share = page.seen["hidden"].a[1, 2] * page.seen["output"].delta[1, 1]
    tolerances.close(page.number("#chain-share"), share, 10 * tolerances.BY_HAND)
    page.page.click("#steps [data-step='13']")
    values = page.page.eval_on_selector_all(
        "[data-unit='output|1'] [data-value]", "all => all.map(each => Number(each.dataset.value))"
    )
    assert values == [page.seen["output"].a[1, 1], page.seen["output"].delta[1, 1]]


def test_the_keyboard_alone_is_enough(open_page: Any) -> None:
    page = open_page(picture_cases.worked())
    keyboard = page.page.keyboard
    for step in range(1, 14):
        keyboard.press("ArrowRight")
        assert page.step() == step
    keyboard.press("ArrowRight")
    assert page.step() == 13
    keyboard.press("ArrowLeft")
    assert page.step() == 12
    keyboard.press("Home")
    assert page.step() == 0
    keyboard.press("End")
    assert page.step() == 13
    page.page.focus("#undo")
    keyboard.press("Enter")
    assert page.step() == 12
    page.page.focus("figure.result td[tabindex='0']")
    keyboard.press("ArrowDown")
    keyboard.press("ArrowRight")
    focus = page.page.evaluate("[document.activeElement.dataset.row, document.activeElement.dataset.column]")
    assert focus == ["1", "1"]
    assert page.step() == 12
    assert page.chosen() == ("1", "1")


def test_every_control_has_a_name(open_page: Any) -> None:
    page = open_page(picture_cases.worked())
    unnamed = page.page.eval_on_selector_all(
        "button, input, select",
        "all => all.filter(e => !(e.getAttribute('aria-label') || e.innerText || e.labels?.[0]?.innerText).trim())",
    )
    assert unnamed == []
    assert page.page.get_attribute("#step", "aria-live") == "polite"


@pytest.mark.parametrize("build", [picture_cases.worked, picture_cases.branches, picture_cases.large])
def test_every_step_in_both_languages(open_page: Any, build: Any) -> None:
    page = open_page(build())
    assert page.page.get_attribute("html", "lang") == "en"
    count = page.page.locator("#steps li").count()
    english = []
    for step in range(count):
        page.page.click(f'#steps [data-step="{step}"]')
        english.append(page.text("#heading"))
    page.page.click("#language")
    assert page.page.get_attribute("html", "lang") == "zh"
    for step in range(count):
        page.page.click(f'#steps [data-step="{step}"]')
        assert page.text("#heading") != english[step]
        assert "undefined" not in page.text("body")
        assert "{" not in page.text("body")
    page.page.click("#language")
    assert page.text("#heading") == english[-1]


def test_operations_and_branches_show_the_traces_arrays(open_page: Any) -> None:
    page = open_page(picture_cases.branches())
    seen = page.seen
    steps = page.page.eval_on_selector_all("#steps button", "all => all.map(each => each.innerText)")
    wanted = {
        "add: sum": seen["sum"].a,
        "concatenate: joined": seen["joined"].a,
        "dJ/dgamma of norm": seen["norm"].gradients["gamma"],
        "Back from joined to norm": seen["joined"].d_inputs[0],
        "Back from sum to right": seen["sum"].d_inputs[1],
        "δ = dJ/dz of left": seen["left"].delta,
        "δ = dJ/dz of out": seen["out"].delta,
        "dJ/dW of right": seen["right"].dW,
    }
    for title, values in wanted.items():
        page.page.click(f'#steps [data-step="{steps.index(title)}"]')
        page.shows(values)


def test_the_share_of_a_shared_layer_is_not_taken_for_the_whole(open_page: Any) -> None:
    page = open_page(picture_cases.shared())
    layer = page.seen["shared"]
    share = (page.seen.inputs["x"][:, 0] * layer.delta[:, 0]).sum()
    assert page.number("#chain-total p:nth-child(2) > data:last-child") == pytest.approx(share)
    assert page.number("#chain-sum") == layer.dW[0, 0] != pytest.approx(share)
    assert "all uses together give" in page.text("#chain-total")
    steps = page.page.eval_on_selector_all("#steps button", "all => all.map(each => each.innerText)")
    page.page.click(f'#steps [data-step="{steps.index("dJ/dW of shared")}"]')
    assert "all uses together give" in page.text("#step")
    assert page.number("#numbers > data:last-child") == pytest.approx(share)


def test_a_large_array_is_shown_around_the_chosen_element(open_page: Any) -> None:
    page = open_page(picture_cases.large())
    page.page.click("#forward")
    page.page.click("figure.result canvas", position={"x": 158, "y": 100})
    (row, column) = page.page.eval_on_selector(
        "td.chosen", "each => [Number(each.dataset.row), Number(each.dataset.column)]"
    )
    assert row > 8
    assert column == 39
    layer = page.seen.layers[0]
    assert page.number("#value") == float(layer.z[row, column])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_follow_the_system_and_the_button(open_page: Any, scheme: str) -> None:
    page = open_page(picture_cases.worked(), color_scheme=scheme)

    before = page.paper()
    assert before == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(15, 20, 25)")
    page.page.click("#theme")
    assert page.paper() != before
    page.page.click("#theme")
    assert page.paper() == before


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_step_is_readable_in_light_and_dark(open_page: Any, scheme: str) -> None:
    pytest.importorskip("matplotlib")
    page = open_page(picture_cases.worked(), color_scheme=scheme)
    for step in (0, 1, 5, 7, 8, 13):
        page.page.click(f'#steps [data-step="{step}"]')
        page.is_readable(scheme)


def test_a_telephone_scrolls_in_one_direction_only(open_page: Any) -> None:
    page = open_page(picture_cases.branches(), viewport={"width": 390, "height": 800})
    for step in (0, 1, 7, 12, 20):
        page.page.click(f'#steps [data-step="{step}"]')
        assert page.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_chinese_browser_is_met_in_chinese(open_page: Any) -> None:
    page = open_page(picture_cases.worked(), locale="zh-CN")
    assert page.text("#forward") == "前向"


def test_names_are_text(open_page: Any) -> None:
    name = "<img src=x onerror=alert(1)>"
    page = open_page(picture_cases.worked((name, f"{name}</script>", "output")), title=name)
    page.page.keyboard.press("End")
    assert page.text("h1") == name
    assert f"{name}</script>" in page.text("#heading")
    assert page.page.locator("img").count() == 0


def test_a_forward_trace_has_no_way_back(open_page: Any) -> None:
    page = open_page(picture_cases.worked_model().trace(picture_cases.X))
    page.page.keyboard.press("End")
    assert page.step() == 4
    assert page.page.is_disabled("#backward")
    assert page.page.is_hidden("#chain-choice")


# The film


@pytest.fixture(scope="module")
def filmed() -> Any:
    return picture_cases.film()


def test_the_slider_shows_every_epoch(open_page: Any, filmed: Any) -> None:
    page = open_page(filmed)
    for epoch, loss in enumerate(filmed.losses):
        page.page.evaluate(
            "value => { const field = document.getElementById('frame'); field.value = value;"
            " field.dispatchEvent(new Event('input')); }",
            epoch,
        )
        assert page.text("#frame-label") == f"Epoch {epoch}"
        assert page.number("#loss-value") == loss
        weights = page.page.eval_on_selector_all(
            "#network line title", "all => all.map(each => Number(each.textContent.split(' = ')[1]))"
        )
        wanted = [each.W.ravel() for each in filmed.traces[epoch].layers if each.W is not None]
        assert weights == np.concatenate(wanted).tolist()
    assert page.page.locator("#surface rect").count() == 40 * 40
    assert page.page.locator("#surface circle").count() == 30
    assert page.page.locator(".histograms svg").count() == 3 * len(filmed.traces[0])


def test_the_film_by_keyboard_button_and_in_chinese(open_page: Any, filmed: Any) -> None:
    page = open_page(filmed, color_scheme="dark")
    for key, epoch in (("ArrowRight", 1), ("End", 4), ("ArrowLeft", 3), ("Home", 0)):
        page.page.keyboard.press(key)
        assert page.number("#loss-value") == filmed.losses[epoch]
    page.page.click("#play")
    page.waits_for("#frame-label", "Epoch 4")
    page.waits_for("#play", "Play")
    page.page.click("#language")
    assert page.text("#frame-label") == "轮次 4"
    assert page.text("#play") == "播放"
    page.page.click("#theme")
    assert page.paper() == "rgb(255, 255, 255)"


def test_the_film_fits_a_telephone(open_page: Any, filmed: Any) -> None:
    page = open_page(filmed, viewport={"width": 390, "height": 800})
    assert page.page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_film_is_readable_in_light_and_dark(open_page: Any, filmed: Any, scheme: str) -> None:
    pytest.importorskip("matplotlib")
    open_page(filmed, color_scheme=scheme).is_readable(scheme)
