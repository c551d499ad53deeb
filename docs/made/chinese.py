"""What the laboratory says, in Chinese: lab.zh-TW.yaml by its English, numbers aside."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import yaml

FILE = Path(__file__).resolve().parents[1] / "lab.zh-TW.yaml"
SIGN = "№"
"""What stands for a number in the file."""

_NUMBER = re.compile(r"(?<![\w.])\d+(?:,\d{3})*(?:\.\d+)?(?!\w)")
_PLACE = re.compile(r"№|\{(\d+)\}")


class Missing(LookupError):
    """There is no Chinese for a text."""


@cache
def _known() -> Mapping[str, str]:
    found: Mapping[str, str] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return found


def say(text: str) -> str:
    """Return the Chinese of an English text of a figure, a contrast or a condition; numbers and no text as they are.

    Raises `Missing` where the file has none.

    Example:
        >>> say("held-out loss (nats per byte)"), say("Gradient by depth, 24 blocks"), say("1.5")
        ('保留資料的損失（nat／位元組）', '24 個區塊裡各深度的梯度', '1.5')
    """
    if not any(letter.isalpha() for letter in text):
        return text
    numbers = _NUMBER.findall(text)
    chinese = _known().get(_NUMBER.sub(SIGN, text))
    if chinese is None:
        raise Missing(f"lab.zh-TW.yaml has no {_NUMBER.sub(SIGN, text)!r}")
    rest = iter(numbers)
    return _PLACE.sub(lambda place: numbers[int(place[1]) - 1] if place[1] else next(rest), chinese)
