"""Interpolated modified Kneser-Ney by `mainstem.counts`, frozen and adaptive, over bytes and over merged pairs."""

from __future__ import annotations

import numpy as np

from mainstem import counts

from . import text
from .clock import used
from .outcome import Outcome


def over(ids: text.Ids) -> Outcome:
    """Return both losses; the order is chosen on the last tenth of what is learned from."""
    tokens = np.concatenate([ids.train, ids.held]).astype(np.uint32)
    scored = counts.score(tokens, len(ids.train), ids.vocab)
    assert scored.adaptive is not None
    detail = f"{ids.kind}, order {scored.order}"
    frozen, adaptive = -float(scored.frozen.sum()), -float(scored.adaptive.sum())
    return Outcome(frozen, adaptive, used(), detail, len(scored.frozen))


def over_bytes(parts: text.Parts, seconds: float, seed: int, rate: float) -> Outcome:
    return over(text.raw_bytes(parts))


def over_pairs(parts: text.Parts, seconds: float, seed: int, rate: float) -> Outcome:
    """Return the losses over the tokens that the networks are given: characters, or 1,024 or 4,096 pairs."""
    return over(text.best(parts))
