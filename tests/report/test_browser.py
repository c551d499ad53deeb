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

OVERLAPS = """
const boxes = [];
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walk.nextNode()) {
  const node = walk.currentNode, parent = node.parentElement;
  if (!node.textContent.trim() || parent.closest("script, style, .unseen, .skip, [hidden]")) continue;
  if (!parent.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true })) continue;
  const clip = parent.closest(".scroll")?.getBoundingClientRect();
  const range = document.createRange();
  range.selectNodeContents(node);
  for (const box of range.getClientRects()) {
    const left = Math.max(box.left, clip?.left ?? -1e9), right = Math.min(box.right, clip?.right ?? 1e9);
    const top = Math.max(box.top, clip?.top ?? -1e9), bottom = Math.min(box.bottom, clip?.bottom ?? 1e9);
    const text = node.textContent.trim().slice(0, 40);
    if (right - left > 1 && bottom - top > 1) boxes.push([text, left, top, right, bottom]);
  }
}
const found = [], width = document.documentElement.clientWidth;
for (let i = 0; i < boxes.length; i++) {
  const a = boxes[i];
  if (a[1] < -0.5 || a[3] > width + 0.5) found.push([a[0], "leaves the page"]);
  for (let j = i + 1; j < boxes.length; j++) {
    const b = boxes[j];
    const across = Math.min(a[3], b[3]) - Math.max(a[1], b[1]), down = Math.min(a[4], b[4]) - Math.max(a[2], b[2]);
    if (across > 1 && down > 3) found.push([a[0], b[0]]);
  }
}
return [boxes.length, found];
"""

CONTRAST = r"""
const channel = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const light = (colour) => {
  const [r, g, b] = colour.match(/[\d.]+/g).map(Number);
  return 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
};
const behind = (element) => {
  for (; element; element = element.parentElement) {
    const colour = getComputedStyle(element).backgroundColor;
    if (!/, 0\)$/.test(colour)) return colour;
  }
  return "rgb(255, 255, 255)";
};
const ratio = (a, b) => {
  const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
  return (x + 0.05) / (y + 0.05);
};
const found = [];
for (const element of document.querySelectorAll(
  "p, th, td, a, li, dt, dd, span, b, summary, h1, h2, h3, figcaption, button, pre, text"
)) {
  if (!element.textContent.trim() || !element.checkVisibility()) continue;
  const style = getComputedStyle(element), ink = element.tagName === "text" ? style.fill : style.color;
  if (ratio(ink, behind(element)) < 4.5) found.push([element.tagName, element.textContent.trim().slice(0, 30), ink]);
}
for (const element of document.querySelectorAll(".curves path[class^='s-']")) {
  const ink = getComputedStyle(element).stroke;
  if (ratio(ink, behind(element.closest(".card"))) < 2.2) found.push([element.getAttribute("class"), ink]);
}
return found;
"""


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
        texts, found = page.run(OVERLAPS)
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
    assert page.run(CONTRAST) == []


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
