"""What a reader of a page sees, without the marks that keep names on one line or let them be broken."""

from __future__ import annotations

import re


def joined(html: str) -> str:
    """Return HTML whose names are in one piece.

    >>> joined('a <span class="word">pre-norm</span> b.<wbr>c')
    'a pre-norm b.c'
    """
    return re.sub(r'<span class="word">([^<]*)</span>|<wbr>', r"\1", html)
