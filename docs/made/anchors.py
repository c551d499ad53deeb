"""The anchors of titles: those that GitHub makes, so that one link leads to a section there and on the site.

Python-Markdown's own keep ASCII alone, and a Chinese title would have a number.
"""

from __future__ import annotations

import re

_LEFT_OUT = re.compile(r"[^\w\- ]")


def slug(title: str, separator: str = "-") -> str:
    """Return the anchor of a title: small letters, no signs but letters and digits of any script, dashes for blanks.

    Example:
        >>> slug("Can networks be deeper?"), slug("7.4.4 Transformer 中的正則化：L2")
        ('can-networks-be-deeper', '744-transformer-中的正則化l2')
    """
    return _LEFT_OUT.sub("", title.strip().lower()).replace(" ", separator)
