"""The site builds offline and strictly, and its pages can be read in a real browser."""

import os
import subprocess
import sys
from pathlib import Path

import browser
import pytest

pytest.importorskip("mkdocs", reason="the site needs the extra `docs`")
ROOT = Path(__file__).resolve().parents[2]
PAGES = [f"{folder}/{name}.html" for folder in ("guide/en", "zh-TW") for name in (
    "index", "residual", "transformer", "regularization", "regularized-transformer", "summary", "your-model"
)]  # fmt: skip
WIDE = """
const wide = document.documentElement.clientWidth, found = [];
for (const element of document.querySelectorAll("article *")) {
  if (element.closest("pre, code, .md-typeset__scrollwrap, .md-typeset__table, math, svg")) continue;
  const box = element.getBoundingClientRect(), text = element.textContent.slice(0, 40);
  if (box.width && (box.right > wide + 1 || box.left < -1)) found.push([element.tagName, text]);
}
return found;
"""
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


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    for config, inside in (("mkdocs.yml", ""), ("mkdocs.zh-TW.yml", "zh-TW")):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "mkdocs", "build", "--quiet", "--strict", "--config-file", config,
             "--site-dir", str(folder / inside), *(["--dirty"] if inside else [])],
            cwd=ROOT, capture_output=True, text=True, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_both_languages_are_built_and_nothing_is_left_to_fill_in(site: Path) -> None:
    for page in (*PAGES, "index.html"):
        text = (site / page).read_text(encoding="utf-8")
        for left in ("<!-- code:", "<!-- lab:", "<!-- verdicts", 'arithmatex">', "Not measured yet", "尚未測量"):
            assert left not in text, (page, left)


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    import re

    for page in PAGES:
        text = (site / page).read_text(encoding="utf-8")
        assert re.findall(r"<(?:script|link|img)[^>]*(?:src|href)=\"https?://", text) == []


@pytest.mark.browser
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", browser.WIDTHS)
def test_pages_are_quiet_and_fit(tab: browser.Page, site: Path, width: int, dark: bool) -> None:
    figures = 0
    for page in PAGES:
        tab.requests()
        tab.show(site / page, width, dark)
        scrolls, inner = tab.run("return [document.documentElement.scrollWidth, innerWidth]")
        assert (scrolls, inner) == (width, width), page
        assert tab.run(WIDE) == [], page
        drawn = tab.run(INSIDE)
        assert all(count and outside == [] for count, outside in drawn), (page, drawn)
        figures += sum(count for count, _ in drawn)
        assert tab.log() == [], page
        asked = [address for address in tab.requests() if not address.startswith(site.as_uri())]
        assert asked == [], page
    assert figures >= 2 * 24


@pytest.mark.browser
def test_a_reader_finds_the_same_page_in_the_other_language(tab: browser.Page, site: Path) -> None:
    english = ("guide/en/residual.html", "guide/en/summary.html")
    chinese = ("zh-TW/residual.html", "zh-TW/summary.html")
    for ours, theirs in (*zip(english, chinese, strict=True), *zip(chinese, english, strict=True)):
        tab.show(site / ours, 1400, False)
        links = tab.run("return [...document.querySelectorAll('article a[rel=alternate]')].map((x) => x.href)")
        assert (site / theirs).resolve().as_uri() in links, (ours, links)
