"""How messages, screens and pages say numbers beside what they count, names in a row, and what would be too long."""

from __future__ import annotations

from collections.abc import Sequence

_HISSING = ("s", "x", "ch", "sh")
_VOWELS = ("ay", "ey", "oy", "uy")


def several(count: float, thing: str, form: str = ",.0f") -> str:
    """Return a number of things, one of them in the singular.

    Example:
        >>> several(1, "layer"), several(1200, "layer"), several(0.5, "pass", ".3g")
        ('1 layer', '1,200 layers', '0.5 passes')
    """
    return counted(f"{count:{form}}", thing)


def counted(said: str, thing: str) -> str:
    """Return things behind a number that is said already, or behind the words that stand in its place.

    Example:
        >>> counted("1", "block"), counted("1 or 2", "block"), counted("3", "copy")
        ('1 block', '1 or 2 blocks', '3 copies')
    """
    if said == "1":
        return f"{said} {thing}"
    if thing.endswith("y") and not thing.endswith(_VOWELS):
        return f"{said} {thing[:-1]}ies"
    return f"{said} {thing}{'es' if thing.endswith(_HISSING) else 's'}"


def fixed(number: float, form: str) -> str:
    """Return `number` in the format `form`; what is shown as zero has no sign.

    Example:
        >>> fixed(-1e-9, ".4f"), fixed(-0.04, "+.1f"), fixed(-0.25, "+.1%"), fixed(3, "+,")
        ('0.0000', '0.0', '-25.0%', '+3')
    """
    said = f"{number:{form}}"
    zero = "0" in said and not any(digit in said for digit in "123456789")
    return said.lstrip("+-") if zero else said


def size(count: float) -> str:
    """Return a number of bytes.

    Example:
        >>> size(999), size(1_115_394), size(12_345_678)
        ('999 bytes', '1.12 MB', '12.3 MB')
    """
    for limit, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= 0.9995 * limit:  # three digits round it up to one of the unit
            return f"{count / limit:.3g} {unit}"
    return several(count, "byte")


def listed(names: Sequence[str]) -> str:
    """Return names as a sentence has them.

    Example:
        >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])
        ('a', 'a and b', 'a, b and c')
    """
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def few(names: Sequence[str], most: int = 3) -> str:
    """Return names, the first of them where there are many.

    Example:
        >>> few(["a", "b"]), few(["a", "b", "c", "d", "e"])
        ('a, b', 'a, b, c and 2 more')
    """
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"


def brief(text: str, most: int = 60) -> str:
    """Return the beginning of what is longer than `most`.

    Example:
        >>> brief("a whole number", 10), brief("a number", 10)
        ('a whole...', 'a number')
    """
    return text if len(text) <= most else f"{text[: most - 3]}..."
