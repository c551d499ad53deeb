"""The sides by name: what each is called with, which of two settings of it there are, and its version.

A version is what its rows are found by; it goes up where what the side computes changes.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import NamedTuple

from . import text
from .outcome import Outcome

Run = Callable[[text.Parts, float, int, float], Outcome]


class Side(NamedTuple):
    """`place` is ``module:function``; `networks` are given a budget and a seed, the rest neither.

    `rates` are settings of which the better one counts, the one that is known to be good first; `most` is the largest
    text in bytes that the side is for.
    """

    place: str
    rates: tuple[float, ...]
    version: int
    network: bool
    most: int | None = None

    def load(self) -> Run:
        module, name = self.place.split(":")
        return getattr(importlib.import_module(f"sides.{module}"), name)


SMALL = 400_000
"""Bytes of a text that is small data."""

SIDES = {
    "ours": Side("ours:run", (0.0,), 1, True),
    "unregularized": Side("ours:unregularized", (64.0, 128.0, 256.0), 1, True, SMALL),
    "nanogpt": Side("nanogpt:run", (1e-3, 3e-3), 1, True),
    "nanochat": Side("nanochat:run", (1.0, 2.0), 1, True),
    "awd_lstm": Side("awd_lstm:run", (8e-3, 4e-3), 1, True),
    "kneser_ney_bytes": Side("kneser_ney:over_bytes", (0.0,), 1, False),
    "kneser_ney_tokens": Side("kneser_ney:over_pairs", (0.0,), 1, False),
    "ppmd": Side("compressors:ppmd", (6.0, 8.0), 1, False),
    "zpaq": Side("compressors:zpaq", (0.0,), 1, False),
}
