"""The text of an experiment, read once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from .. import config, data


def reader(
    cache: Path,
    warn: Callable[[str], None] = lambda doubt: None,
    tell: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Callable[[config.Data], data.Corpus]:
    """Return a function that prepares a corpus, with its tokens in the folder `cache`, and remembers it.

    `warn` hears each doubt about a text once, `tell` how far the reading is.
    """
    known: dict[bytes, data.Corpus] = {}
    said: set[str] = set()

    def read(section: config.Data) -> data.Corpus:
        name = msgspec.json.encode(section)
        if name not in known:
            known[name] = data.prepare(section, cache, tell)
            for doubt in known[name].doubts:
                if doubt not in said:
                    said.add(doubt)
                    warn(doubt)
        return known[name]

    return read
