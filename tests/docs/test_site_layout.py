"""The site's pages in a real browser: nothing is cut, covered, or wider than the screen."""

from pathlib import Path

import browser
import pytest
from site_pages import PAGES, everything

WIDE = """
const wide = document.documentElement.clientWidth, found = [];
for (const element of document.querySelectorAll("article *")) {
  if (element.closest("pre, code, .md-typeset__scrollwrap, .md-typeset__table, math, svg")) continue;
  const box = element.getBoundingClientRect(), text = element.textContent.slice(0, 40);
  if (box.width && (box.right > wide + 1 || box.left < -1)) found.push([element.tagName, text]);
}
return found;
"""
OPEN = """
for (const part of [document, ...[...document.querySelectorAll("article div")].map((x) => x.shadowRoot)])
  for (const element of part?.querySelectorAll("details") ?? []) element.open = true;
"""
CUT = """
return [...document.querySelectorAll(".md-typeset__scrollwrap")].filter((x) => x.scrollWidth > x.clientWidth + 1)
  .map((x) => x.textContent.trim().slice(0, 60));
"""
"""Tables of which a part is not seen before they are moved sideways."""
BROKEN = """
const found = [];
const parts = [document, ...[...document.querySelectorAll("article div")].map((x) => x.shadowRoot).filter((x) => x)];
for (const part of parts) {
  for (const element of part.querySelectorAll("td code, code .word, .note-word")) {
    const text = element.textContent.trim();
    const words = element.closest("td") ? !text.includes(" ") : true;
    if (words && element.getClientRects().length > 1) found.push([text, "is cut"]);
  }
  for (const element of part.querySelectorAll("th, td")) {
    const text = element.textContent.trim(), style = getComputedStyle(element);
    const room = element.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    if (element.clientWidth && text.length > 2 && room < 2.5 * parseFloat(style.fontSize)
        && element.clientHeight > 3 * parseFloat(style.fontSize) * 1.6) found.push([text, "stands on its end"]);
    if (innerWidth > 760 && element.matches(".verdicts td:last-child") && room < 9 * parseFloat(style.fontSize))
      found.push([text, "is narrow"]);
  }
}
return found;
"""
"""Options, names and verdicts that are cut in two, and cells with a sign or two on each line."""

INDENTED = """
return [...document.querySelectorAll("article details > summary")].filter((x) => x.getBoundingClientRect().width)
  .map((x) => parseFloat(getComputedStyle(x).paddingLeft) / parseFloat(getComputedStyle(x).fontSize))
  .filter((x) => x > 1.5);
"""
"""How many ems what opens a part of a page stands in, where it has room for a sign that is not there."""

COVERED = """
const found = [];
for (const pre of document.querySelectorAll("article pre")) {
  const button = pre.querySelector("nav")?.getBoundingClientRect(), code = pre.querySelector("code");
  if (!button || !code) continue;
  const walk = document.createTreeWalker(code, NodeFilter.SHOW_TEXT), edge = code.getBoundingClientRect().right;
  while (walk.nextNode()) {
    const range = document.createRange();
    range.selectNodeContents(walk.currentNode);
    for (const box of range.getClientRects()) {
      const across = Math.min(box.right, edge, button.right) - Math.max(box.left, button.left);
      const down = Math.min(box.bottom, button.bottom) - Math.max(box.top, button.top);
      if (across > 0.5 && down > 1) found.push([walk.currentNode.textContent, pre.textContent.slice(0, 60)]);
    }
  }
}
return [document.querySelectorAll("article pre nav").length, found];
"""
"""Code below the button that copies it."""

INSIDE = """
return [...document.querySelectorAll("article div")].filter((x) => x.shadowRoot).map((host) => {
  const box = host.getBoundingClientRect();
  const inner = [...host.shadowRoot.querySelectorAll(":not(.scroll *)")].filter((x) => !x.closest(".scroll"));
  const out = inner.map((x) => [x, x.getBoundingClientRect()]).filter(
    ([, x]) => x.width && (x.right > box.right + 1 || x.left < box.left - 1));
  const drawn = [...host.shadowRoot.querySelectorAll("figure svg")];
  const plots = drawn.filter((x) => x.getBoundingClientRect().width > 150);
  return [plots.length, out.map(([x]) => `${x.tagName} ${x.getAttribute("class")}`)];
});
"""

TITLES = r"""
const found = [];
for (const title of document.querySelectorAll("article :is(h1, h2, h3)")) {
  const text = title.firstChild, range = document.createRange();
  let before = null;
  for (let i = 0; i < text.length; i++) {
    range.setStart(text, i);
    range.setEnd(text, i + 1);
    const top = range.getBoundingClientRect().top;
    const word = text.data.slice(0, i).match(/[^\s\p{P}]*$/u)[0] + text.data.slice(i).match(/^[^\s\p{P}]*/u)[0];
    const room = title.clientWidth / parseFloat(getComputedStyle(title).fontSize);
    if (before !== null && top > before + 5 && /[^\s\p{P}]/u.test(text.data[i - 1]) && word.length < room)
      found.push(text.data.slice(0, i));
    before = top;
  }
}
return found;
"""
"""Titles of which a line ends within words, behind no blank and no sign, though a line has room for them."""


@pytest.mark.browser
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", browser.WIDTHS)
def test_pages_are_quiet_and_fit(tab: browser.Page, site: Path, width: int, dark: bool) -> None:
    """All pages in the light; a scheme has colours alone, so that two pages of each language are enough in the dark."""
    figures = buttons = 0
    for page in [page for page in PAGES if not dark or page.endswith(("/index.html", "/residual.html"))]:
        tab.requests()
        tab.show(site / page, width, dark)
        scrolls, inner = tab.run("return [document.documentElement.scrollWidth, innerWidth]")
        assert (scrolls, inner) == (width, width), page
        assert tab.run(WIDE) == [], page
        assert tab.run(CUT) == [], page
        tab.run(OPEN)
        assert tab.run(INDENTED) == [], page
        there, covered = tab.run(COVERED)
        assert covered == [], page
        buttons += there
        assert tab.run(BROKEN) == [], page
        assert tab.run(browser.CUT) == [], page
        drawn = tab.run(INSIDE)
        assert all(count and outside == [] for count, outside in drawn), (page, drawn)
        figures += sum(count for count, _ in drawn)
        assert tab.log() == [], page
        asked = [address for address in tab.requests() if not address.startswith(site.as_uri())]
        assert asked == [], page
    assert figures >= (2 * 6 if dark else 2 * 24)
    assert buttons > 10


@pytest.mark.browser
def test_all_other_pages_fit_a_phone(tab: browser.Page, site: Path) -> None:
    """Results, design, the log, and the references of fields and of the Python API."""
    for page in everything(site):
        if str(page.relative_to(site)) in PAGES:
            continue
        tab.show(page, 360, False)
        assert tab.run("return document.documentElement.scrollWidth") == 360, page
        assert tab.run(WIDE) == [], page
        assert tab.run(browser.CUT) == [], page
        if page.name == "configuration.html":
            assert tab.run(BROKEN) == [], page
        assert tab.log() == [], page


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 390, 800, 1400])
def test_the_reference_of_fields_is_seen_without_moving_a_table(tab: browser.Page, site: Path, width: int) -> None:
    """On a phone each field is a card, with words for what may be given and for the default."""
    given = {"configuration.html": ("given", "default"), "zh-TW/configuration.html": ("可用的值", "預設")}
    for page, words in given.items():
        tab.show(site / page, width, False)
        assert tab.run(CUT) == [] and tab.run(browser.CUT) == [], page
        cells = "getComputedStyle(document.querySelector(`.fields td:nth-child(${i})`), '::before').content"
        told = tab.run(f"return [3, 4].map((i) => {cells})")
        assert [said.startswith(f'"{word}') for said, word in zip(told, words, strict=True)] == [width <= 760] * 2, page


@pytest.mark.browser
def test_no_line_of_a_chinese_title_ends_within_a_word(tab: browser.Page, site: Path) -> None:
    for page in (page for page in PAGES if page.startswith("zh-TW")):
        tab.show(site / page, 360, False)
        assert tab.run(TITLES) == [], page
