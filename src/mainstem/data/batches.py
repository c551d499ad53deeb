"""Which tokens a step sees: a pure function of the seed, the step and the slot.

Nothing advances and nothing is shuffled in place, so a resumed run, another number of ranks and another size of
micro-batch see the same sequences in the same slots. Shapes: B sequences, T positions.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence, Sized
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import BadInput
from ..wording import several
from .order import epoch_words, permuted
from .tokens import Tokens

Window = tuple[Tensor, Tensor, Tensor | None, Tensor]
"""x_BT, y_BT, documents_BT or None, weight_BT (0 where a position is padding)."""

_CHUNK = 4096
"""Positions of an epoch whose places are computed together."""

_HELD_TOKENS = 8192
"""Tokens in one batch of an evaluation."""


@dataclass(frozen=True)
class Plan:
    """The order in which windows of `context` tokens are seen, `batch` of them in each step; steps count from 1.

    Each epoch goes through ``windows = max(1, (num_tokens - context) // context)`` windows that do not overlap, from a
    random offset and in a random order of its own. Global sequence ``g = (step - 1) * batch + slot`` is position
    ``g % windows`` of epoch ``g // windows``. Raises `BadInput` where not even one window has a successor to predict.
    """

    num_tokens: int
    context: int
    batch: int
    seed: int

    def __post_init__(self) -> None:
        if self.num_tokens < self.context + 1:
            raise BadInput(
                f"A text of {several(self.num_tokens, 'token')} is shorter than a window of {self.context} "
                "and its successor: give more "
                "text, or a smaller model.context."
            )
        if self.batch < 1:
            raise BadInput(f"A batch of {self.batch} sequences trains nothing: give at least 1.")

    @property
    def windows(self) -> int:
        """Return how many windows an epoch has."""
        return max(1, (self.num_tokens - self.context) // self.context)

    def slots(self, step: int, rank: int = 0, world: int = 1) -> range:
        """Return the slots of the global batch that `rank` of `world` computes: contiguous shares, equal within one."""
        if not 0 <= rank < world:
            raise BadInput(f"Rank {rank} does not exist among {world}: give one from 0 to {world - 1}.")
        return range(rank * self.batch // world, (rank + 1) * self.batch // world)

    def window(self, step: int, slot: int) -> int:
        """Return the token at which the window of this slot begins."""
        return int(self.offsets(step, (slot,))[0])

    def offsets(self, step: int, slots: Sequence[int]) -> NDArray[np.int64]:
        """Return the tokens at which the windows of these slots begin, int64 [B]."""
        if step < 1 or (slots and not 0 <= min(slots) <= max(slots) < self.batch):
            raise BadInput(f"Step {step} has no slots {slots}: steps count from 1, and slots are below {self.batch}.")
        base, windows = (step - 1) * self.batch, self.windows
        epochs = [divmod(base + slot, windows) for slot in slots]
        return np.array([_chunk(self, epoch, i // _CHUNK)[i % _CHUNK] for epoch, i in epochs], np.int64)


@functools.lru_cache(maxsize=256)
def _chunk(plan: Plan, epoch: int, number: int) -> NDArray[np.int64]:
    """Return where the windows at positions [number * _CHUNK, ...) of an epoch begin. Remembered, since it is pure."""
    windows = plan.windows
    positions = np.arange(number * _CHUNK, min((number + 1) * _CHUNK, windows), dtype=np.int64)
    room = plan.num_tokens - windows * plan.context
    low, high = epoch_words(plan.seed, epoch)[-2:]
    offset = (high << 32 | low) * room >> 64
    return permuted(positions, windows, plan.seed, epoch) * plan.context + offset


def fetch(
    tokens: Tokens, plan: Plan, step: int, slots: Sequence[int], documents: bool = False
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return x_BT, y_BT (x moved on by one) and, if asked for, the number of the document of each x_BT; all int64.

    Row i is slot ``slots[i]`` of the global batch, which other processes may compute the rest of.
    """
    starts_B = plan.offsets(step, slots)
    places_BT = starts_B[:, None] + _positions(plan.context + 1)
    ids_BT = torch.from_numpy(np.asarray(tokens.ids)[places_BT].astype(np.int64))
    found = _documents_at(tokens, places_BT[:, :-1]) if documents else None
    return ids_BT[:, :-1].contiguous(), ids_BT[:, 1:].contiguous(), found


@functools.lru_cache(maxsize=8)
def _positions(count: int) -> NDArray[np.int64]:
    return np.arange(count, dtype=np.int64)


def _documents_at(tokens: Tokens, places_BT: NDArray[np.int64]) -> Tensor:
    found = np.searchsorted(tokens.documents, places_BT.reshape(-1), side="right") - 1
    return torch.from_numpy(found.reshape(places_BT.shape).astype(np.int64))


def num_windows(tokens: Sized, context: int, stride: int | None = None) -> int:
    """Return how many windows `held_out_windows` has for `tokens`; the last one may be short."""
    targets = max(0, len(tokens) - 1)
    return 1 - min(0, context - targets) // (stride or context) if targets else 0


def spread(count: int, wanted: int) -> NDArray[np.int64]:
    """Return `wanted` numbers below `count`, evenly spread and always the same; all of them where there are no more.

    Example:
        >>> spread(10, 4).tolist()
        [0, 2, 5, 7]
    """
    wanted = min(count, wanted)
    return np.arange(wanted, dtype=np.int64) * count // max(wanted, 1)


def targets(tokens: Sized, context: int, which: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """Return the places of the targets of `held_out_windows`, in their order: each token but the first, or fewer.

    Example:
        >>> targets(range(5), 2, np.array([1]))
        array([3, 4])
    """
    numbers = np.arange(num_windows(tokens, context), dtype=np.int64) if which is None else which
    places = (numbers[:, None] * context + _positions(context) + 1).ravel()
    return places[places < len(tokens)]


def at_once(context: int, batch: int | None = None) -> int:
    """Return how many windows `held_out_windows` has in a batch: `batch`, or as many as have 8192 tokens.

    Example:
        >>> at_once(64), at_once(64, 2)
        (128, 2)
    """
    return batch or max(1, _HELD_TOKENS // context)


def held_out_windows(
    tokens: Tokens,
    context: int,
    documents: bool = False,
    which: NDArray[np.int64] | None = None,
    batch: int | None = None,
    stride: int | None = None,
) -> Iterator[Window]:
    """Yield batches of windows in which every token that has a predecessor is a target exactly once.

    Window i begins at ``i * stride``, by default `context`, so that none overlap. With a smaller one, a window behind
    the first has weight 1 only where the one before it has ended, which leaves ``context - stride + 1`` tokens or more
    before each target. `which` takes the windows of these numbers only. `batch` of them come at once, or as many as
    have 8192 tokens. The last window is filled up with weight 0. Fewer than two tokens give no window.
    """
    ids = np.asarray(tokens.ids)
    targets, step = len(ids) - 1, stride or context
    rows = at_once(context, batch)
    numbers = np.arange(num_windows(tokens, context, stride), dtype=np.int64) if which is None else which
    for first in range(0, len(numbers), rows):
        starts_B1 = numbers[first : first + rows, None] * step
        places_BT = starts_B1 + _positions(context)
        new_BT = (starts_B1 == 0) | (places_BT >= starts_B1 - step + context)
        weight_BT = torch.from_numpy((new_BT & (places_BT < targets)).astype(np.float32))
        places_BT = np.minimum(places_BT, targets - 1)
        x_BT, y_BT = (torch.from_numpy(ids[places_BT + shift].astype(np.int64)) for shift in (0, 1))
        yield x_BT, y_BT, _documents_at(tokens, places_BT) if documents else None, weight_BT
