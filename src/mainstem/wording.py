"""How messages, screens and pages say a number: beside what it counts, and without a sign where it is shown as zero."""

from __future__ import annotations

from collections.abc import Sequence

_HISSING = ("s", "x", "ch", "sh")


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
        >>> counted("1", "block"), counted("1 or 2", "block")
        ('1 block', '1 or 2 blocks')
    """
    many = "es" if thing.endswith(_HISSING) else "s"
    return f"{said} {thing}{'' if said == '1' else many}"


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
