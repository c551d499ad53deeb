"""The index that the site's search looks into: each section of each page, as plain text."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

_SCRIPT = Path(__file__).resolve().parents[1] / "search.js"
_LEFT_OUT = re.compile(r"<(template|style|script|svg|math)\b.*?</\1>|<a class=\"headerlink\".*?</a>", re.DOTALL)
_HEAD = re.compile(r'<h([1-6])[^>]*\bid="([^"]*)"[^>]*>(.*?)</h\1>', re.DOTALL)
_LONGEST = 4000
"""Characters of a section that are searched: the reference has long ones."""

Section = tuple[str, str, str, str]
"""Page, anchor, title, text."""


def sections(address: str, title: str, content: str) -> list[Section]:
    """Return the sections of a page, whose HTML is `content`; the first one is what stands above all titles.

    Example:
        >>> sections("a.html", "A", '<h1 id="a">A</h1><p>one</p><h2 id="b">B</h2><p>two &amp; three</p>')
        [('a.html', '', 'A', 'one'), ('a.html', 'b', 'A: B', 'two & three')]
    """
    parts = _HEAD.split(_LEFT_OUT.sub(" ", content))
    found = [(address, "", title, _text(parts[0]))]
    for level, anchor, head, text in zip(parts[1::4], parts[2::4], parts[3::4], parts[4::4], strict=True):
        if level == "1":
            found[0] = (address, "", title, f"{found[0][3]} {_text(text)}".strip())
        else:
            found.append((address, anchor, f"{title}: {_text(head)}", _text(text)))
    return found


def script(found: list[Section]) -> str:
    """Return the site's search with its index."""
    index = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
    return f"const index = {index};\n{_SCRIPT.read_text(encoding='utf-8')}"


def _text(part: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", part)).split())[:_LONGEST]
