"""Training a network until its budget is used, and scoring every held-out token once.

Shapes: B windows, T positions, V tokens of the vocabulary, N tokens of a text.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .clock import Budget

PASSES = 12
"""Held-out passes in a budget; the weights of the best one are the ones that are scored."""

SAMPLE = 1 << 14
"""Held-out tokens of such a pass."""

Logits = Callable[[Tensor], Tensor]


class Trained(NamedTuple):
    steps: int
    best_step: int


def train(
    model: nn.Module, step: Callable[[int, float], float], held_out: Callable[[], float], budget: Budget
) -> Trained:
    """Call ``step(number, share)`` until the budget is used, and leave the weights of the best held-out pass.

    The last pass begins early enough to end within the budget. A loss that is no number ends the training.
    """
    best, kept = float("inf"), None
    number = passes = best_step = 0
    longest, last = 0.0, False
    while not last:
        began = budget.share
        finite = math.isfinite(step(number, began))
        number += 1
        share = budget.share
        last = not finite or share + longest + 1.5 * (share - began) >= 1.0
        if finite and (last or share >= (passes + 1) / PASSES):
            passes += 1
            reached = held_out()
            longest = max(longest, budget.share - share)
            if reached < best:
                best, best_step = reached, number
                kept = {name: value.clone() for name, value in model.state_dict().items()}
    if kept is not None:
        model.load_state_dict(kept)
    return Trained(number, best_step)


def windows(ids_N: Tensor, context: int, batch: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return `batch` random windows of a text and what follows each of their tokens."""
    at_B = torch.randint(len(ids_N) - context, (batch, 1), generator=generator)
    both = ids_N[at_B + torch.arange(context + 1)]
    return both[:, :-1], both[:, 1:]


@torch.no_grad()
def sampled(logits: Logits, ids_N: Tensor, context: int) -> float:
    """Return nats per token over at most `SAMPLE` tokens in windows without overlap, evenly spread."""
    length = min(context, len(ids_N) - 1)
    every = (len(ids_N) - 1) // length
    taken = torch.linspace(0, every - 1, min(every, max(1, SAMPLE // length))).long() * length
    both = ids_N[taken[:, None] + torch.arange(length + 1)]
    total = 0.0
    for part in both.split(max(1, (1 << 13) // length)):
        total += _nats(logits(part[:, :-1]), part[:, 1:]).sum().item()
    return total / (both.shape[0] * length)


@torch.no_grad()
def score(logits: Logits, before_N: Tensor, held_N: Tensor, context: int) -> Tensor:
    """Return the nats of each held-out token [N], in windows that begin half a context apart.

    A token counts in the first window that has it, so that at least half a context stands before it; before the first
    ones stand the last tokens of the training text.
    """
    stride = max(1, context // 2)
    if len(before_N) < context:
        raise AssertionError(f"{len(before_N)} tokens of training text are fewer than the context of {context}")
    both_N = torch.cat([before_N[-context:], held_N])
    nats_N = torch.full((len(held_N),), float("nan"), dtype=torch.float64)
    ends = [*range(context + stride, len(both_N), stride), len(both_N)]
    for at in range(0, len(ends), max(1, (1 << 13) // context)):
        end_B = torch.tensor(ends[at : at + max(1, (1 << 13) // context)])
        place_BT = end_B[:, None] - context + torch.arange(context)
        found_BT = _nats(logits(both_N[place_BT - 1]), both_N[place_BT])
        for end, row in zip(end_B.tolist(), found_BT, strict=True):
            first = context + (end - context - 1) // stride * stride
            nats_N[first - context : end - context] = row[first - end :].double()
    return _whole(nats_N)


def _nats(logits_BTV: Tensor, y_BT: Tensor) -> Tensor:
    return F.cross_entropy(logits_BTV.float().transpose(1, 2), y_BT, reduction="none")


def _whole(nats_N: Tensor) -> Tensor:
    """Return `nats_N`, where every token has been scored."""
    if nats_N.isnan().any():
        raise AssertionError(f"{int(nats_N.isnan().sum())} of {len(nats_N)} held-out tokens have no score")
    return nats_N
