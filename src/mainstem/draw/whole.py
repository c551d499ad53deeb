"""Words that no line ends within: browsers end lines behind hyphens."""

from __future__ import annotations

import re

LONGEST = 20
"""Signs of a name that stays whole in any column; a phone has about forty on a line."""

_OPTION = 40
"""Signs of an option that does."""

_BLOCK = "template|script|style|text|math|pre|title"
_APART = re.compile(rf'(<(?!pre class="code")(?:{_BLOCK})\b.*?</(?:{_BLOCK})>|<[^>]*>)', re.DOTALL)
"""What is no text of sentences, or has lines of its own, but for commands on our pages. Pictures lie within
pictures: of them, each text by itself."""

_JOINED = re.compile(
    r"(?<![A-Za-z0-9_&#-])(?:--[A-Za-z0-9_.-]*[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9.]*(?:[-_][A-Za-z0-9.]*[A-Za-z0-9])+)"
)
"""Options, and names of parts: pre-norm, pre_norm. Chinese around them is not theirs."""


def whole_words(html: str) -> str:
    """Return HTML in which no narrow column breaks a name such as pre-norm, or an option, at its hyphens.

    Each stands in a span of the class "word", whose style says so. A long name may be broken, as a run's own may.

    Example:
        >>> whole_words('<p title="pre-norm">如pre-norm：</p><pre>a-b</pre>')
        '<p title="pre-norm">如<span class="word">pre-norm</span>：</p><pre>a-b</pre>'
        >>> whole_words("<code>--seed 1</code>")
        '<code><span class="word">--seed</span> 1</code>'
    """
    parts = _APART.split(html)
    parts[::2] = [_JOINED.sub(_held, part) if "-" in part or "_" in part else part for part in parts[::2]]
    return "".join(parts)


def _held(found: re.Match[str]) -> str:
    word = found[0]
    return f'<span class="word">{word}</span>' if len(word) <= (_OPTION if word[0] == "-" else LONGEST) else word
