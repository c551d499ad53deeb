"""Sums over depth whose gradients are added up once for each array.

N sums over the same growing list read some N^2 / 2 arrays. If each sends its own gradients back, each array read is one
written, and autograd adds them up, one by one. In a chain each sum keeps only what came back to it, g: the sum that was
the first to read an array runs backward last, and makes that array's gradient, sum_m a_m g_m, in one pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..gradient import plain
from . import cpu, reference


class Ledger:
    """What has come back to the sums of a chain in one backward pass: (slots of the arrays read, weights, g).

    A slot is the number of an array in its chain.
    """

    def __init__(self) -> None:
        self.passes: dict[int, list[tuple[tuple[int, ...], Tensor, Tensor]]] = {}

    def entries(self) -> list[tuple[tuple[int, ...], Tensor, Tensor]]:
        """Return those of the backward pass that is running, which are dropped when it ends."""
        number = torch._C._current_graph_task_id()
        if number not in self.passes:
            self.passes[number] = []
            torch.autograd.Variable._execution_engine.queue_callback(lambda: self._end(number))
        return self.passes[number]

    def _end(self, number: int) -> None:
        self.passes.pop(number, None)


class Link(NamedTuple):
    """The end of a chain: the arrays that its sums have read, by their slots, and what puts its sums in order."""

    ledger: Ledger
    arrays: tuple[Tensor, ...]
    token: Tensor


def _gathered(slot: int, entries: list[tuple[tuple[int, ...], Tensor, Tensor]]) -> Tensor | None:
    """Return sum_m a_m g_m over the sums that have read the array, in the order in which their gradients came."""
    found = [(g, weights[at]) for slots, weights, g in entries for at, read in enumerate(slots) if read == slot]
    if not found:
        return None
    # The kernel takes the last one first. So the bits are those of autograd's sums, where these are float32 too.
    arrays, factors = zip(*found[1:], found[0], strict=True)
    return (reference.depth_sum if torch.is_grad_enabled() else cpu.run)(arrays, torch.stack(factors))


class _Sum(torch.autograd.Function):
    """(y, token) of the arrays in their order, of which those that are new to the chain come again as `fresh`."""

    @staticmethod
    def forward(
        ctx: Any, ledger: Ledger, arrays: tuple[Tensor, ...], slots: tuple[int, ...], token: Tensor | None,
        weights: Tensor, *fresh: Tensor,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        ctx.ledger, ctx.slots, ctx.first = ledger, slots, max(slots) + 1 - len(fresh)
        ctx.save_for_backward(weights, *arrays)
        ctx.set_materialize_grads(False)
        return cpu.run(arrays, weights), weights.new_empty(0)

    @staticmethod
    def backward(ctx: Any, dy: Tensor | None, _: Tensor | None) -> tuple[Tensor | None, ...]:
        weights, *arrays = ctx.saved_tensors
        entries, dweights = ctx.ledger.entries(), None
        if dy is not None:
            dy = dy.contiguous()
            entries.append((ctx.slots, weights, dy))
            if ctx.needs_input_grad[4]:
                if torch.is_grad_enabled():  # for a gradient of a gradient
                    dweights = torch.stack([(dy.to(torch.float32) * a.to(torch.float32)).sum() for a in arrays])
                else:
                    dweights = cpu.run_dots(dy, arrays, weights)
        fresh = (
            _gathered(ctx.first + number, entries) if needed else None
            for number, needed in enumerate(ctx.needs_input_grad[5:])
        )
        return None, None, None, None, dweights, *fresh


_apply = plain(_Sum)


def depth_sum(arrays: Sequence[Tensor], weights: Tensor, link: Link | None) -> tuple[Tensor, Link]:
    """Return what `cpu.depth_sum` returns, and the end of the chain `link` with this sum in it."""
    ledger, known, token = link if link is not None else (Ledger(), (), None)
    places = {id(array): slot for slot, array in enumerate(known)}
    fresh = [array for array in arrays if id(array) not in places]
    new = iter(range(len(known), len(known) + len(fresh)))
    slots = tuple(places[id(array)] if id(array) in places else next(new) for array in arrays)
    y, after = _apply(ledger, tuple(arrays), slots, token, weights.to(torch.float32), *fresh)
    return y, Link(ledger, (*known, *fresh), after)
