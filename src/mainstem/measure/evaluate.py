"""The loss of a model on held-out tokens: a full pass, in eval mode. May import torch, `data` and its siblings.

Shapes: B sequences, T positions, V tokens of the vocabulary, W windows.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..data.batches import held_out_windows
from ..errors import BadInput
from .cross_entropy import cross_entropy_BT

Window = tuple[Tensor, Tensor, Tensor | None, Tensor]
"""x_BT, y_BT, documents_BT or None, weight_BT (0 where a position is padding)."""


class Held(NamedTuple):
    """Cross-entropy over `tokens` predicted tokens; `nats_W` and `tokens_W` are its parts, window by window."""

    nats_per_token: float
    bits_per_byte: float
    tokens: int
    nats_W: Tensor
    tokens_W: Tensor

    def of(self, windows: Tensor) -> float:
        """Return the nats per token of the windows at these indices."""
        return float(self.nats_W[windows].sum() / self.tokens_W[windows].sum())


class Abandoned(Exception):
    """The pass was asked to end before it was complete."""


def evaluate(
    model: nn.Module,
    tokens: Any,
    *,
    context: int | None = None,
    documents: bool = False,
    autocast: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext,
    stop: Callable[[], bool] | None = None,
) -> Held:
    """Return the loss of `model` on `tokens` (`data.Tokens`): every token that has a predecessor counts once.

    ``nats_per_token = sum_t -ln p(token_t | its window so far) / (len - 1)`` in windows of `context` (the model's own
    by default) without overlap. ``bits_per_byte = nats_per_token / ln 2 * len / num_bytes``: the first token, which
    nothing predicts, is counted at the average of the rest.

    Raises `BadInput` for fewer than two tokens, `Abandoned` as soon as `stop()` is true.
    """
    if len(tokens) < 2:
        raise BadInput(f"{len(tokens)} tokens leave nothing to predict: give at least two.")
    length = context if context is not None else _context(model)
    held = over(model, held_out_windows(tokens, length, documents=documents), autocast, stop)
    bits = held.nats_per_token / math.log(2) * len(tokens) / tokens.num_bytes
    return held._replace(bits_per_byte=bits)


@torch.no_grad()
def over(
    model: nn.Module,
    windows: Iterable[Window],
    autocast: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext,
    stop: Callable[[], bool] | None = None,
) -> Held:
    """Return the loss over `windows`, with `bits_per_byte` left nan; the model's mode is what it was afterwards.

    A model that has a method ``losses(x_BT, y_BT, documents_BT)`` -> [B, T], as ours, is asked for these; else logits
    [B, T, V] are made, which are large where V is.
    """
    device = next(model.parameters()).device
    training = model.training
    model.eval()
    nats, counts = [], []
    try:
        for x_BT, y_BT, documents_BT, weight_BT in windows:
            if stop is not None and stop():
                raise Abandoned
            documents_BT = None if documents_BT is None else documents_BT.to(device)
            with autocast():
                loss_BT = _losses(model, x_BT.to(device), y_BT.to(device), documents_BT) * weight_BT.to(device)
            nats.append(loss_BT.sum(dim=1).cpu().double())
            counts.append(weight_BT.sum(dim=1).double())
    finally:
        model.train(training)
    nats_W, tokens_W = torch.cat(nats), torch.cat(counts)
    return Held(float(nats_W.sum() / tokens_W.sum()), math.nan, int(tokens_W.sum()), nats_W, tokens_W)


def _losses(model: nn.Module, x_BT: Tensor, y_BT: Tensor, documents_BT: Tensor | None) -> Tensor:
    """Return each position's cross-entropy [B, T], by the model itself where it can do so without whole logits."""
    own = getattr(model, "losses", None)
    if callable(own):
        found: Tensor = own(x_BT, y_BT, documents_BT)
        return found
    return cross_entropy_BT(model(x_BT, documents_BT), y_BT)


def _context(model: nn.Module) -> int:
    context = getattr(model, "context", None)
    if not isinstance(context, int):
        raise BadInput(f"{type(model).__name__} does not say its context: give context= to evaluate.")
    return context
