"""The page in a real browser: quiet, self-sufficient, nothing over anything else, on a phone and on a desk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import browser
import pytest
import run_folders

from mainstem.report import write

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page() -> Iterator[browser.Page]:
    if (reason := browser.missing()) is not None:
        if os.environ.get(browser.REQUIRED) == "1":
            pytest.fail(f"{reason}, and {browser.REQUIRED}=1 asks for them")
        pytest.skip(f"{reason}: install chromium and chromium-driver to run the tests in a browser")
    with browser.browser() as found:
        yield found


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


WIDTHS = (360, 1400)
NAMES = ("overfits", "deep", "few", "evil")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_quiet_and_nothing_overlaps(
    page: browser.Page, pages: dict[str, Path], name: str, width: int, dark: bool
) -> None:
    page.requests()
    page.show(pages[name], width, dark)
    for opened in (False, True):
        if opened:
            page.run("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        scrolls, inner = page.run("return [document.documentElement.scrollWidth, innerWidth]")
        assert (scrolls, inner) == (width, width)
        texts, found = page.run(browser.OVERLAPS)
        assert texts > 80
        assert found == []
    assert page.log() == []
    assert set(page.requests()) == {pages[name].resolve().as_uri()}
    assert page.run("return typeof bad") == "undefined"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_and_curves_stand_out_from_what_is_behind_them(
    page: browser.Page, pages: dict[str, Path], dark: bool
) -> None:
    page.show(pages["overfits"], 1400, dark)
    paper = page.run("return getComputedStyle(document.body).backgroundColor")
    assert (int(paper.split("(")[1].split(",")[0]) < 60) == dark
    assert page.run(browser.CONTRAST) == []


def test_the_button_changes_the_theme_and_back(page: browser.Page, pages: dict[str, Path]) -> None:
    page.show(pages["overfits"], 1400, dark=False)
    read = "return [getComputedStyle(document.body).backgroundColor, document.getElementById('theme').textContent]"
    light = page.run(read)
    page.run("document.getElementById('theme').click()")
    dark = page.run(read)
    page.run("document.getElementById('theme').click()")
    assert page.run(read) == light
    assert (light[1], dark[1]) == ("Dark theme", "Light theme")
    assert light[0] != dark[0]


def press(page: browser.Page, key: str) -> str:
    page.tool("Input.dispatchKeyEvent", type="keyDown", key=key)
    page.tool("Input.dispatchKeyEvent", type="keyUp", key=key)
    text: str = page.run("return document.querySelector('#figure-loss .tip').innerText")
    return text


@pytest.mark.parametrize("width", WIDTHS)
def test_arrow_keys_read_the_curves(page: browser.Page, pages: dict[str, Path], width: int) -> None:
    page.show(pages["few"], width, dark=False)
    page.run("document.querySelector('#figure-loss .plot').focus()")
    lines = run_folders.lines(run_folders.Made(steps=2, eval_every=1, quantities=1, layers=1))
    for key, line in (("Home", lines[0]), ("ArrowRight", lines[1]), ("ArrowRight", lines[1]), ("ArrowLeft", lines[0])):
        said = press(page, key)
        assert f"step {line['step']}" in said
        assert f"{line['held_out']['nats_per_token']:.4g}" in said
        assert f"{line['loss']:.4g}" in said
        left, right = page.run(
            "const b = document.querySelector('#figure-loss .tip').getBoundingClientRect(); return [b.left, b.right]"
        )
        assert 0 <= left < right <= width
    press(page, "Escape")
    assert page.run("return document.querySelector('#figure-loss .tip').hidden")


def test_the_pointer_reads_the_nearest_point(page: browser.Page, pages: dict[str, Path]) -> None:
    page.show(pages["overfits"], 1400, dark=False)
    page.run("document.querySelector('#figure-rate .plot').scrollIntoView({ behavior: 'instant', block: 'center' })")
    box = "document.querySelector('#figure-rate .plot').getBoundingClientRect()"
    x, y, wide = page.run(f"const b = {box}; return [b.left, b.top, b.width]")
    page.tool("Input.dispatchMouseEvent", type="mouseMoved", x=x + wide / 2, y=y + 20)
    said = page.run("return document.querySelector('#figure-rate .tip').innerText")
    assert "step 999" in said or "step 1,00" in said
    assert "0.000501" in said or "0.000499" in said


def test_the_page_can_be_read_without_its_script(page: browser.Page, pages: dict[str, Path]) -> None:
    page.show(pages["overfits"], 360, dark=False, javascript=False)
    page.tool("Emulation.setScriptExecutionDisabled", value=False)
    curves, hidden = page.run(
        "return [document.querySelectorAll('#figure-loss .curves path[d]').length,"
        " document.getElementById('theme').hidden]"
    )
    assert curves > 5
    assert hidden, "a button that does nothing is not shown"
