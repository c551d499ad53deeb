"""The site builds offline and strictly, and what its files say and link is whole."""

import html
import re
from pathlib import Path
from urllib.parse import unquote

from site_pages import PAGES, everything


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
