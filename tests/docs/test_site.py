"""The site builds offline and strictly, and its pages can be read in a real browser."""

import html
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import unquote

import browser
import pytest

pytest.importorskip("mkdocs", reason="the site needs the extra `docs`")
ROOT = Path(__file__).resolve().parents[2]
PAGES = [f"{folder}/{name}.html" for folder in ("guide/en", "zh-TW") for name in (
    "index", "residual", "transformer", "regularization", "regularized-transformer", "summary", "your-model",
    "frameworks",
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


def everything(site: Path) -> list[Path]:
    """Return all pages, but the one for addresses that are not there, which a site on a disk never shows."""
    return [page for page in sorted(site.rglob("*.html")) if page.name != "404.html"]


def test_both_languages_are_built_and_nothing_is_left_to_fill_in(site: Path) -> None:
    for page in (*PAGES, "index.html"):
        text = (site / page).read_text(encoding="utf-8")
        for left in ("<!-- code:", "<!-- lab:", "<!-- verdicts", 'arithmatex">', "Not measured yet", "尚未量測"):
            assert left not in text, (page, left)


def test_no_sign_of_markdown_is_left_in_a_sentence(site: Path) -> None:
    """A backslash in front of a sign that Markdown does not take, and quotes of code that made none."""
    for page in everything(site):
        text = page.read_text(encoding="utf-8").partition("<article")[2].partition("</article>")[0]
        text = re.sub(r"<(pre|code|svg|math|script|template|style)\b.*?</\1>|<[^>]*>", " ", text, flags=re.DOTALL)
        assert re.findall(r".{20}(?:\\(?:&lt;|[*_|>\[\]`$])|`).{20}", text) == [], page


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    for page in PAGES:
        text = (site / page).read_text(encoding="utf-8")
        assert re.findall(r"<(?:script|link|img)[^>]*(?:src|href)=\"https?://", text) == []


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
@pytest.mark.parametrize("width", browser.WIDTHS)
def test_the_head_leads_to_the_same_page_in_the_other_language(tab: browser.Page, site: Path, width: int) -> None:
    pairs = [(f"guide/en/{name}.html", f"zh-TW/{name}.html") for name in ("index", "summary")]
    pairs.append(("configuration.html", "zh-TW/configuration.html"))
    for ours, theirs in (*pairs, *((b, a) for a, b in pairs), ("results/lab.html", "zh-TW/index.html")):
        tab.show(site / ours, width, False)
        shown, link = tab.run(
            "const a = document.querySelector('header .switch'); return [a.getBoundingClientRect().width, a.href]"
        )
        assert shown > 20
        assert link == (site / theirs).resolve().as_uri() and (site / theirs).is_file(), (ours, link)


def test_every_page_leads_to_the_same_page_in_the_other_language_and_back(site: Path) -> None:
    """A page that is there in English alone leads to the first page in Chinese."""

    def other(page: Path) -> Path:
        found = re.findall(r'class="md-header__button switch" lang="([^"]+)" href="([^"]+)"', page.read_text("utf-8"))
        ((language, link),) = found
        assert language == ("en" if site / "zh-TW" in page.parents else "zh-Hant"), page
        target = (page.parent / link).resolve()
        assert target.is_file(), (page, link)
        return target

    root, both = site.resolve(), 0
    pages = everything(root)
    for page in pages:
        paired = page.parent.name in ("en", "zh-TW") or page.name == "configuration.html"
        theirs = other(page)
        assert theirs == root / "zh-TW" / (page.name if paired else "index.html") or "zh-TW" in page.parts
        if paired:
            assert other(theirs) == page and theirs.name == page.name
            both += 1
    assert both == 2 * 9 and len(pages) > 50


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


def test_every_link_to_a_section_leads_to_one_that_has_a_readable_name(site: Path) -> None:
    """Also in Chinese, whose titles Python-Markdown would number."""
    ids: dict[Path, set[str]] = {}

    def known(page: Path) -> set[str]:
        if page not in ids:
            ids[page] = {html.unescape(found) for found in re.findall(r'\bid="([^"]+)"', page.read_text("utf-8"))}
        return ids[page]

    root, links = site.resolve(), 0
    for page in everything(root):
        text = page.read_text(encoding="utf-8")
        for title, anchor in re.findall(r'<(h[1-6])[^>]*\bid="([^"]*)"', text.partition("<article")[2]):
            assert re.search(r"[^\W\d_]", anchor), (page, title, anchor)
        for link in re.findall(r'href="([^"#:]*#[^"]+)"', text):
            path, _, anchor = unquote(html.unescape(link)).partition("#")
            target = (page.parent / path).resolve() if path else page
            assert anchor in known(target), (page, link)
            links += 1
    assert links > 1000
    assert "網路可以更深嗎" in known(root / "zh-TW/residual.html")
    assert "can-networks-be-deeper" in known(root / "guide/en/residual.html")


@pytest.mark.browser
@pytest.mark.parametrize("page", ["guide/en/residual.html", "zh-TW/residual.html"])
def test_the_contents_of_a_page_lead_to_its_sections(tab: browser.Page, site: Path, page: str) -> None:
    tab.show(site / page, 1400, False)
    follow = (
        "const link = [...document.querySelectorAll('.md-sidebar--secondary nav a')].at(-1); link.click();"
        "const aim = document.querySelector(':target');"
        "return [decodeURIComponent(location.hash), aim && `#${aim.id}`, aim?.firstChild.textContent, link.textContent]"
    )
    place, found, title, words = tab.run(follow)
    assert place == found and len(place) > 5
    assert title.strip() and words.strip().startswith(title.strip())


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
def test_no_line_of_a_chinese_title_ends_within_a_word(tab: browser.Page, site: Path) -> None:
    for page in (page for page in PAGES if page.startswith("zh-TW")):
        tab.show(site / page, 360, False)
        assert tab.run(TITLES) == [], page


SEEN = """
const host = [...document.querySelectorAll("article div")].find((x) => x.shadowRoot);
const colour = (x) => getComputedStyle(x).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number);
const sum = (x) => colour(x).reduce((a, b) => a + b);
const ink = getComputedStyle(host.shadowRoot.querySelector("h3")).color.match(/\\d+/g).slice(0, 3).map(Number);
return [sum(document.body) < 380, sum(host.shadowRoot.querySelector(".card")) < 380, ink.reduce((a, b) => a + b) > 380];
"""


def darkness(tab: browser.Page, wanted: bool | None = None) -> list[bool]:
    """Return whether page, figure and ink are dark, light and so on, when they agree with each other and with `wanted`.

    The browser tells a page of a changed scheme when it comes to it, so this waits, as a reader would.
    """
    end = time.monotonic() + 20
    while True:
        found: list[bool] = tab.run(SEEN)
        if (len(set(found)) == 1 and wanted in (None, found[0])) or time.monotonic() > end:
            return found
        time.sleep(0.05)


@pytest.mark.browser
@pytest.mark.parametrize("page", ["guide/en/residual.html", "zh-TW/residual.html"])
def test_figures_are_as_dark_as_their_page(tab: browser.Page, site: Path, page: str) -> None:
    """By the system, by the button, and when the system changes afterwards."""
    for system in (False, True):
        tab.show(site / page, 1400, system)
        assert darkness(tab, system) == [system] * 3
        for now in (not system, system):
            scheme = {"name": "prefers-color-scheme", "value": "dark" if now else "light"}
            tab.tool("Emulation.setEmulatedMedia", features=[scheme])
            assert darkness(tab, now) == [now] * 3
        seen = set()
        for _ in range(3):  # light, dark, as the system is
            tab.run(
                "[...document.querySelectorAll('[data-md-component=palette] label')].find((x) => !x.hidden).click()"
            )
            found = darkness(tab)
            assert found == [found[0]] * 3
            seen.add(found[0])
        assert seen == {False, True}
        tab.run("localStorage.clear()")


@pytest.mark.browser
@pytest.mark.parametrize("page", ["guide/en/index.html", "zh-TW/index.html"])
def test_the_pointer_reads_the_guide_s_figures(tab: browser.Page, site: Path, page: str) -> None:
    tab.show(site / page, 1400, False)
    root = "[...document.querySelectorAll('article div')].find((x) => x.shadowRoot).shadowRoot"
    tab.run(f"{root}.querySelector('.plot').scrollIntoView({{ behavior: 'instant', block: 'center' }})")
    x, y, wide = tab.run(
        f"const b = {root}.querySelector('.plot').getBoundingClientRect(); return [b.left, b.top, b.width]"
    )
    tab.tool("Input.dispatchMouseEvent", type="mouseMoved", x=x + wide / 2, y=y + 20)
    said, hidden = tab.run(f"const t = {root}.querySelector('.tip'); return [t.innerText, t.hidden]")
    assert not hidden
    assert len(said.splitlines()) >= 5 and any(sign.isdigit() for sign in said)
    tab.run(f"{root}.querySelector('.plot').dispatchEvent(new PointerEvent('pointerleave'))")
    assert tab.run(f"return {root}.querySelector('.tip').hidden")


@pytest.mark.browser
@pytest.mark.parametrize(
    ("page", "words", "found"),
    [("index.html", "post-norm Norm", "guide/en/transformer.html"), ("zh-TW/index.html", "梯度 爆炸", "residual.html")],
)
@pytest.mark.parametrize("width", browser.WIDTHS)
def test_pages_are_searched_from_a_file(
    tab: browser.Page, site: Path, page: str, words: str, found: str, width: int
) -> None:
    tab.show(site / page, width, False)
    tab.run("document.querySelector('.search__open').click()")
    look = (
        "const f = document.querySelector('.search input'); f.value = arguments[0];"
        " f.dispatchEvent(new Event('input'));"
        "return [document.querySelector('.search__status').textContent,"
        " [...document.querySelectorAll('.search__list a')].map((a) => a.href)]"
    )
    said, links = tab.run(look, words)
    assert said and any(found in link for link in links)
    for link in links:
        path, _, anchor = unquote(link).removeprefix("file://").partition("#")
        text = Path(path).read_text(encoding="utf-8")
        assert not anchor or f'id="{anchor}"' in text, link
    assert tab.run("return document.documentElement.scrollWidth") == width
    said, links = tab.run(look, "zzzz qqqq")
    assert said and links == []
    assert tab.log() == []
