"""Which field somebody meant who wrote a name that there is not."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable

from .synonyms import ours


def suggestion(name: str, known: Collection[str], show: Callable[[str], str] = str) -> str | None:
    """Return a question that names the field meant by `name`, as `show` writes it; None where nothing is near.

    Example:
        >>> suggestion("train.stpes", ["train.steps", "seed"])
        'did you mean train.steps?'
        >>> suggestion("min_lr", ["optim.schedule.floor"])
        'did you mean optim.schedule.floor, which is a share of the peak, as in 0.1?'
    """
    found = ours(name, known)
    meant, note = found if found is not None else (nearest(name, known), "")
    return f"did you mean {show(meant)}{f', {note}' if note else ''}?" if meant else None


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return which of `known` is spelt nearly as `name`; its last part alone counts too.

    Example:
        >>> nearest("train.stpes", ["train.steps", "seed"]), nearest("steps", ["train.steps", "seed"])
        ('train.steps', 'train.steps')
    """
    names = list(known)
    found = difflib.get_close_matches(name, names, n=1, cutoff=0.75)
    if not found:
        last = {each.rpartition(".")[2]: each for each in reversed(names)}
        close = difflib.get_close_matches(name.rpartition(".")[2], last, n=1, cutoff=0.75)
        found = [last[each] for each in close] or difflib.get_close_matches(name, names, n=1)
    return found[0] if found else None
