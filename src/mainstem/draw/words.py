"""Numbers and a stranger's text as a reader sees them."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable

from ..wording import several

Say = Callable[[str], str]
"""From a page's own words to those of its reader's language."""


def as_it_is(text: str) -> str:
    """Return `text`, for readers of English."""
    return text


def count(number: float) -> str:
    """Return a whole number with its thousands apart.

    Example:
        >>> count(1234567)
        '1,234,567'
    """
    return f"{round(number):,}"


def compact(number: float) -> str:
    """Return three digits of a number and a letter, for axes and tiles.

    Example:
        >>> [compact(n) for n in (0, 950, 12_000, 999_700, 3_160_000)]
        ['0', '950', '12k', '1M', '3.16M']
    """
    if abs(number) >= 999.5e12:
        return short(number)
    # What three digits round up to a thousand of a unit is said in the next one.
    for least, unit, letter in ((999.5e9, 1e12, "T"), (999.5e6, 1e9, "G"), (999.5e3, 1e6, "M"), (1e4, 1e3, "k")):
        if abs(number) >= least:
            return f"{number / unit:.3g}{letter}"
    return f"{number:.3g}" if abs(number) < 999.5 else f"{number:,.0f}"


def short(number: float) -> str:
    """Return four significant digits, with an exponent where there would be many zeros.

    Example:
        >>> [short(n) for n in (0.0, 1.43219, 12345.6, 0.00098, 1.2e-7)]
        ['0', '1.432', '12,346', '0.00098', '1.2e-7']
    """
    if number == 0 or not math.isfinite(number):
        return "0" if number == 0 else "–"
    if 1e-4 <= abs(number) < 1e6:
        return f"{number:,.4g}" if abs(number) < 9999.5 else f"{number:,.0f}"
    mantissa, exponent = f"{number:.3e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def duration(seconds: float) -> str:
    """Return a time in the two units that matter.

    Example:
        >>> [duration(s) for s in (0.25, 42.4, 59.6, 200, 3725, 90000)]
        ['0.25 s', '42 s', '1 min 0 s', '3 min 20 s', '1 h 2 min', '25 h 0 min']
    """
    if seconds < 10:
        return f"{seconds:.2g} s"
    if seconds < 59.5:  # what rounds up to a minute is said in minutes
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60:,} h {minutes % 60} min"


def clock(seconds: float) -> str:
    """Return a round time as an axis has it: the unit that it is whole in.

    Example:
        >>> [clock(s) for s in (10, 120, 90, 7200, 172800)]
        ['10 s', '2 min', '90 s', '2 h', '2 d']
    """
    for each, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= each and seconds % each == 0:
            return f"{seconds / each:.0f} {unit}"
    return f"{seconds:.0f} s"


def visible(text: object, lines: bool = False, limit: int = 20_000) -> str:
    r"""Return text with what cannot be seen, or would change how its surroundings read, shown as a sign.

    Line ends and tabs are kept where `lines` is set. Control characters become their pictures, other invisible ones,
    such as marks of direction, their code points. What is longer than `limit` is cut, and says so.

    Example:
        >>> visible("a\x1b[2Jb\x00"), visible("\u202eabc")
        ('a␛[2Jb␀', '⟨U+202E⟩abc')
    """
    whole = str(text)
    shown = "".join(map(_sign, whole[:limit])) if not lines else "".join(
        character if character in "\n\t" else _sign(character) for character in whole[:limit].replace("\r\n", "\n")
    )  # fmt: skip
    left = len(whole) - limit
    return shown if left <= 0 else f"{shown} … ({several(left, 'character')} more)"


_JOINERS = "\u200c\u200d"
"""Invisible, and part of how several scripts and emoji are spelled."""


def _sign(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    if character not in _JOINERS and unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"):
        return f"⟨U+{code:04X}⟩"
    return character
