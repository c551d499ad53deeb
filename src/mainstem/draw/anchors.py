"""The anchors of titles: those that GitHub makes, so that one link leads to a section there, on the site and on a page.

Python-Markdown's own keep ASCII alone, and a Chinese title would have a number.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

_LEFT_OUT = re.compile(r"[^\w\- ]")


def slug(title: str, separator: str = "-") -> str:
    """Return the anchor of a title: small letters, no signs but letters and digits of any script, dashes for blanks.

    Example:
        >>> slug("Can networks be deeper?"), slug("7.4.4 Transformer 中的正則化：L2")
        ('can-networks-be-deeper', '744-transformer-中的正則化l2')
    """
    return _LEFT_OUT.sub("", title.strip().lower()).replace(" ", separator)


def of_sections(titles: Iterable[str], taken: Collection[str] = ()) -> list[str]:
    """Return an anchor for each section of a page, none twice and none of those that are `taken`.

    A title such as "vanishing: Gradients do not vanish." is a name and a sentence about it: its name is the anchor,
    which stays when the sentence is said in other words, or another section is added.

    Example:
        >>> of_sections(["Numbers", "vanishing: Gradients do not vanish.", "numbers", "?"], taken=["made"])
        ['numbers', 'vanishing', 'numbers-1', 'section']
    """
    found: list[str] = []
    for title in titles:
        first = slug(title.partition(": ")[0]) or "section"
        anchor, again = first, 0
        while anchor in found or anchor in taken:
            again += 1
            anchor = f"{first}-{again}"
        found.append(anchor)
    return found
