"""The text of an experiment, read once. May import `config` and `data`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from .. import config, data


def reader(cache: Path) -> Callable[[config.Data], data.Corpus]:
    """Return a function that prepares a corpus, with its tokens in the folder `cache`, and remembers it."""
    known: dict[bytes, data.Corpus] = {}

    def read(section: config.Data) -> data.Corpus:
        name = msgspec.json.encode(section)
        if name not in known:
            known[name] = data.prepare(section, cache)
        return known[name]

    return read
