"""The page in a real browser: quiet, self-sufficient, nothing over anything else, on a phone and on a desk."""

from __future__ import annotations

from pathlib import Path

import browser
import pytest
import run_folders

from mainstem.report import write

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("pages")
    made = {
        "overfits": run_folders.make(root / "overfits"),
        "deep": run_folders.make(root / ("a-run-with-a-name-as-long-as-" * 3), run_folders.Made(layers=48, steps=400)),
        "few": run_folders.make(root / "few", run_folders.Made(steps=2, eval_every=1, quantities=1, layers=1)),
        "evil": run_folders.evil_folder(root / "evil"),
    }
    return {name: write(folder) for name, folder in made.items()}


NAMES = ("overfits", "deep", "few", "evil")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", browser.WIDTHS)
@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_quiet_and_nothing_overlaps(
    tab: browser.Page, pages: dict[str, Path], name: str, width: int, dark: bool
) -> None:
    browser.assert_quiet(tab, pages[name], width, dark)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_and_curves_stand_out_from_what_is_behind_them(
    tab: browser.Page, pages: dict[str, Path], dark: bool
) -> None:
    tab.show(pages["overfits"], 1400, dark)
    paper = tab.run("return getComputedStyle(document.body).backgroundColor")
    assert (int(paper.split("(")[1].split(",")[0]) < 60) == dark
    assert tab.run(browser.CONTRAST) == []


@pytest.mark.parametrize("name", NAMES)
def test_points_can_be_seen_where_a_curve_has_one(tab: browser.Page, pages: dict[str, Path], name: str) -> None:
    tab.show(pages[name], 1400, dark=False)
    widths = tab.run(
        "const dots = [...document.querySelectorAll('.curves path.dots')];"
        "return dots.map((x) => parseFloat(getComputedStyle(x).strokeWidth))"
    )
    assert widths and min(widths) >= 6


def test_the_button_changes_the_theme_and_back(tab: browser.Page, pages: dict[str, Path]) -> None:
    tab.show(pages["overfits"], 1400, dark=False)
    read = "return [getComputedStyle(document.body).backgroundColor, document.getElementById('theme').textContent]"
    light = tab.run(read)
    tab.run("document.getElementById('theme').click()")
    dark = tab.run(read)
    tab.run("document.getElementById('theme').click()")
    assert tab.run(read) == light
    assert (light[1], dark[1]) == ("Dark theme", "Light theme")
    assert light[0] != dark[0]


def press(tab: browser.Page, key: str) -> str:
    tab.tool("Input.dispatchKeyEvent", type="keyDown", key=key)
    tab.tool("Input.dispatchKeyEvent", type="keyUp", key=key)
    text: str = tab.run("return document.querySelector('#figure-loss .tip').innerText")
    return text


@pytest.mark.parametrize("width", browser.WIDTHS)
def test_arrow_keys_read_the_curves(tab: browser.Page, pages: dict[str, Path], width: int) -> None:
    tab.show(pages["few"], width, dark=False)
    tab.run("document.querySelector('#figure-loss .plot').focus()")
    lines = run_folders.lines(run_folders.Made(steps=2, eval_every=1, quantities=1, layers=1))
    for key, line in (("Home", lines[0]), ("ArrowRight", lines[1]), ("ArrowRight", lines[1]), ("ArrowLeft", lines[0])):
        said = press(tab, key)
        assert f"step {line['step']}" in said
        assert f"{line['held_out']['nats_per_token']:.4g}" in said
        assert f"{line['loss']:.4g}" in said
        left, right = tab.run(
            "const b = document.querySelector('#figure-loss .tip').getBoundingClientRect(); return [b.left, b.right]"
        )
        assert 0 <= left < right <= width
    press(tab, "Escape")
    assert tab.run("return document.querySelector('#figure-loss .tip').hidden")


def test_the_pointer_reads_the_nearest_point(tab: browser.Page, pages: dict[str, Path]) -> None:
    tab.show(pages["overfits"], 1400, dark=False)
    tab.run("document.querySelector('#figure-rate .plot').scrollIntoView({ behavior: 'instant', block: 'center' })")
    box = "document.querySelector('#figure-rate .plot').getBoundingClientRect()"
    x, y, wide = tab.run(f"const b = {box}; return [b.left, b.top, b.width]")
    tab.tool("Input.dispatchMouseEvent", type="mouseMoved", x=x + wide / 2, y=y + 20)
    said = tab.run("return document.querySelector('#figure-rate .tip').innerText")
    assert "step 999" in said or "step 1,00" in said
    assert "0.000501" in said or "0.000499" in said


def test_the_page_can_be_read_without_its_script(tab: browser.Page, pages: dict[str, Path]) -> None:
    tab.show(pages["overfits"], 360, dark=False, javascript=False)
    tab.tool("Emulation.setScriptExecutionDisabled", value=False)
    curves, hidden = tab.run(
        "return [document.querySelectorAll('#figure-loss .curves path[d]').length,"
        " document.getElementById('theme').hidden]"
    )
    assert curves > 5
    assert hidden, "a button that does nothing is not shown"
