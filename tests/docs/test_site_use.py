"""The site in a reader's hands: links of its head and its contents, the scheme, the pointer on figures, and search."""

import time
from pathlib import Path
from urllib.parse import unquote

import browser
import pytest

SEEN = """
const host = [...document.querySelectorAll("article div")].find((x) => x.shadowRoot);
const colour = (x) => getComputedStyle(x).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number);
const sum = (x) => colour(x).reduce((a, b) => a + b);
const ink = getComputedStyle(host.shadowRoot.querySelector("h3")).color.match(/\\d+/g).slice(0, 3).map(Number);
return [sum(document.body) < 380, sum(host.shadowRoot.querySelector(".card")) < 380, ink.reduce((a, b) => a + b) > 380];
"""


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
