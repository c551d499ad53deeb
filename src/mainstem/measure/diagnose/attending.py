"""Faults of attention: which positions are seen by which."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .finding import Finding, few

if TYPE_CHECKING:
    from ..watch import Watch

_ENOUGH, _ALL = 16, 0.95


def sees_its_answer(watch: Watch) -> Iterator[Finding]:
    """Attention without a causal mask in a model that is to say the next token."""
    known = watch.seen.ahead.items()
    names = [name for name, there in known if name not in watch.seen.wrong_axis and bool(there)]
    if names and any(_asks_for_the_next(counts) for counts in watch.seen.targets.values()):
        words = f"the loss asks for the next token, and {few(names)} lets a position see those behind it"
        fix = "The answer is in the input: mask what lies behind each query, by is_causal=True or a triangular mask."
        yield Finding("no causal mask", words, fix, 4)


def _asks_for_the_next(counts: list[Tensor]) -> bool:
    asked, ahead, moved = torch.stack([each.cpu() for each in counts]).sum(0).tolist()
    return moved >= _ENOUGH and ahead >= _ALL * asked and 2 * moved >= ahead


def wrong_axis(watch: Watch) -> Iterator[Finding]:
    """A softmax over queries, heads or samples."""
    if names := list(watch.seen.wrong_axis):
        words = f"in {few(names)} the softmax is not over the keys, over which its weights are summed up then"
        yield Finding("wrong softmax", words, "Take it along the axis of the keys: scores.softmax(-1).", 4)
