"""One style for every message that a command ends with: a sentence, with fields as the flags that one types.

What raises it may be used from Python, where a field has no hyphens.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .. import catalogue, config

_FIELD = re.compile(r"(?<![\w./`'\"=-])[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+(?![\w/=*])")
_WORD = re.compile(r"[a-z]{2,}(?=[\s,'])")
_ENDS = (".", "?", "!", "`", "…")


def styled(text: str, words: Sequence[str] = ()) -> str:
    """Return a message with a capital and a full stop, its fields as flags; `words` are those of the command line.

    A name of the catalogue keeps its small letter, and a field that a file has wrong keeps the form of the file.

    Example:
        >>> styled("model.kv_heads 3 does not divide model.heads 4: give 1, 2 or 4 heads")
        '--model.kv-heads 3 does not divide --model.heads 4: give 1, 2 or 4 heads.'
        >>> styled("the prompt has no tokens: give at least one character"), styled("mhc needs streams, not 0")
        ('The prompt has no tokens: give at least one character.', 'mhc needs streams, not 0.')
    """
    typed = {word[2:].partition("=")[0].replace("-", "_") for word in words if word.startswith("--")}
    known = {field.name for field in config.fields(config.Run)} if ".yaml" not in text else set()
    parts = {name[: at.start()] for name in known for at in re.finditer(r"\.", name)} - set(_sections())

    def named(found: re.Match[str]) -> str:
        plain = re.sub(r"\.\d+(?=\.|$)", ".N", found[0])  # an item of a list, by its place
        item = re.sub(r"(\.N)+$", "", plain)
        return _flag(found[0]) if {plain, item, found[0]} & (known | typed | parts) else found[0]

    text = _FIELD.sub(named, text)
    first = text.partition(" ")[0]
    if first in typed | {name.partition(".")[0] for name in typed}:  # a whole section or list, too
        text = _flag(text)[: len(first) + 2] + text[len(first) :]
    names = {spec.name for kind in catalogue.kinds() for spec in catalogue.specs(kind)}
    if (word := _WORD.match(text)) and word[0] not in names:
        text = text[0].upper() + text[1:]
    return text if text.endswith(_ENDS) else f"{text}."


def _sections() -> list[str]:
    return list(dict.fromkeys(field.section for field in config.fields(config.Run) if field.section))


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
