"""The loss of a model on held-out tokens, all of them or a sample, in eval mode.

Shapes: B sequences, T positions, V tokens of the vocabulary, W windows, N
targets that were measured.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ..data.batches import at_once, held_out_windows, num_windows, spread
from ..errors import BadInput
from ..modes import evaluating
from ..wording import several
from .cross_entropy import cross_entropy_BT, weighted

Window = tuple[Tensor, Tensor, Tensor | None, Tensor]
"""x_BT, y_BT, documents_BT or None, weight_BT (0 where a position is padding)."""


class Held(NamedTuple):
    """Cross-entropy over `tokens` predicted tokens; `nats_W` and `tokens_W` are its parts, window by window.

    `windows` is how many windows there are in all: more than were measured where they are a sample. `losses_N` has the
    nats of each target, in the order of the text, where a pass over text has made this.
    """

    nats_per_token: float
    bits_per_byte: float
    tokens: int
    nats_W: Tensor
    tokens_W: Tensor
    windows: int
    losses_N: Tensor | None = None

    def of(self, windows: Tensor) -> float:
        """Return the nats per token of the windows at these indices."""
        return float(self.nats_W[windows].sum() / self.tokens_W[windows].sum())

    @property
    def error(self) -> float | None:
        """Standard error of `nats_per_token` as an estimate of what all windows give; None where all are measured.

        ``sqrt(1 - n / N)`` times `error` of the n windows of N that were measured; nan for a single one.
        """
        measured = len(self.nats_W)
        if measured == self.windows:
            return None
        return error(self.nats_W, self.tokens_W) * math.sqrt(1 - measured / self.windows)


class Abandoned(Exception):
    """The pass was asked to end before it was complete."""


class Among(Protocol):
    """Processes that make a pass together, as `train.World`: each takes a share of the windows."""

    @property
    def size(self) -> int:
        """How many processes there are."""

    def slots(self, batch: int) -> range:
        """Return which of `batch` windows are this process's."""

    def total(self, value: Tensor) -> Tensor:
        """Return the sum over all processes."""


def error(nats_W: Tensor, tokens_W: Tensor) -> float:
    """Return the standard error of nats per token over evenly spread windows, in their order; nan for fewer than two.

    The tokens of a window are alike, so windows are counted, not tokens. Neighbours are alike too, as they often come
    from one document, which makes an evenly spread sample better than a random one; by differences between neighbours
    the error is as small as that. For windows in no order it is that of a random sample.

    Formula:
        sqrt(n / (2 (n - 1)) sum_w (e_w - e_(w-1))^2) / sum tokens, e_w = nats_w - r tokens_w, r = sum nats / sum tokens

    Source:
        Wolter 2007, Introduction to Variance Estimation, chapter 8, estimator v2 of systematic sampling, for the ratio
        of Cochran 1977, Sampling Techniques, equation 2.47.

    Example:
        >>> error(torch.tensor([1.0, 3.0]), torch.tensor([1.0, 1.0]))
        1.0
    """
    n, total = len(nats_W), tokens_W.sum()
    if n < 2:
        return math.nan
    rest_W = nats_W - nats_W.sum() / total * tokens_W
    return math.sqrt(n / (2 * (n - 1)) * float(rest_W.diff().square().sum())) / float(total)


def evaluate(
    model: nn.Module,
    tokens: Any,
    *,
    context: int | None = None,
    stride: int | None = None,
    windows: int | None = None,
    documents: bool = False,
    batch: int | None = None,
    autocast: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext,
    stop: Callable[[], bool] | None = None,
    tell: Callable[[int], None] | None = None,
    among: Among | None = None,
) -> Held:
    """Return the loss of `model` on `tokens`: every token that has a predecessor counts once.

    Of the bytes, those of the first token, which nothing predicts, are counted at the average of the rest.

    Formula:
        nats_per_token = sum_t -ln p(token_t | its window so far) / (len - 1)
        bits_per_byte = nats_per_token / ln 2 * len / num_bytes

    Args:
        model: a network that gives logits, or the losses themselves, as `over` says.
        tokens: the text, as `data.Tokens`.
        context: how many tokens a window has; the model's own context if left out.
        stride: how many tokens apart windows begin; `context` if left out, so that none overlap. With a smaller one
            each token counts in the first window that has it: with ``context - stride + 1`` tokens or more before it,
            where the text has them, in place of 1 or more.
        windows: how many windows are measured at most, evenly spread and the same at every call; `Held.error` says how
            near that comes to all of them.
        documents: whether the model is told which document each token is of.
        batch: how many windows are computed at once; as many as have 8192 tokens if left out.
        autocast: gives the context in which the model computes.
        stop: is asked before each batch whether to abandon the pass.
        tell: is called after each batch with the number of tokens so far.
        among: several processes, which all call this with the same arguments: each computes a share of the windows, and
            all get the whole. ``stop()``, which they may agree on, is asked equally often in each.

    Raises:
        BadInput: for fewer than two tokens, for a stride outside 1 to `context`, and for a `context`, `windows` or
            `batch` below 1.
        Abandoned: as soon as `stop()` is true.
    """
    if len(tokens) < 2:
        raise BadInput(f"Nothing to predict in {several(len(tokens), 'token')}: give at least two.")
    for name, number in (("context", context), ("windows", windows), ("batch", batch)):
        if number is not None and number < 1:
            raise BadInput(f"An evaluation with {name}={number} measures nothing: give at least 1, or leave it out.")
    length = context if context is not None else context_of(model)
    if stride is not None:
        check_stride(stride, length)
    every = num_windows(tokens, length, stride)
    which = np.arange(every, dtype=np.int64) if windows is None else spread(every, windows)
    count, size = len(which), 1 if among is None else among.size
    mine = range(count) if among is None else among.slots(count)
    some = held_out_windows(tokens, length, documents, which[mine.start : mine.stop], batch, stride)
    rounds = math.ceil(math.ceil(count / size) / at_once(length, batch))
    # Where the model lies in parts, each process is called as often, if need be with a window that others count.
    spare = held_out_windows(tokens, length, documents, which[:1], 1, stride) if _in_parts(model) else ()
    held = over(model, some, autocast, stop, None if tell is None else lambda done: tell(size * done), rounds, spare)
    if among is not None and size > 1:
        held = _joined(held, mine, count, among)
    bits = held.nats_per_token / math.log(2) * len(tokens) / tokens.num_bytes
    return held._replace(bits_per_byte=bits, windows=every)


def check_stride(stride: int, context: int) -> None:
    """Raise `BadInput` where windows of `context` tokens that begin `stride` apart would not have every token once."""
    if not 1 <= stride <= context:
        raise BadInput(f"A stride of {stride} is not one of 1 to {context}, the model's context: give one of these.")


@torch.no_grad()
def over(
    model: nn.Module,
    windows: Iterable[Window],
    autocast: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext,
    stop: Callable[[], bool] | None = None,
    tell: Callable[[int], None] | None = None,
    rounds: int = 0,
    spare: Iterable[Window] = (),
) -> Held:
    """Return the loss over `windows`, with `bits_per_byte` left nan; each module's mode is what it was afterwards.

    ``stop()`` is asked once a batch, and `rounds` times at least; beyond `windows` the model computes `spare` then,
    which counts nothing. A model that has a method ``losses(x_BT, y_BT, documents_BT)`` -> [B, T], as ours, is asked
    for these; else logits [B, T, V] are made, which are large where V is.
    """
    held = next(itertools.chain(model.parameters(), model.buffers()), None)
    device = torch.device("cpu") if held is None else held.device

    def computed(x_BT: Tensor, y_BT: Tensor, documents_BT: Tensor | None) -> Tensor:
        documents_BT = None if documents_BT is None else documents_BT.to(device)
        with autocast():
            return _losses(model, x_BT.to(device), y_BT.to(device), documents_BT)

    nats, counts, losses, done = [_NONE], [_NONE], [torch.zeros(0)], 0
    with evaluating(model):
        for x_BT, y_BT, documents_BT, weight_BT in windows:
            if stop is not None and stop():
                raise Abandoned
            loss_BT = weighted(computed(x_BT, y_BT, documents_BT), weight_BT.to(device))
            nats.append(loss_BT.sum(dim=1).cpu().double())
            losses.append(loss_BT.cpu()[weight_BT > 0])
            counts.append(weight_BT.sum(dim=1).double())
            done += int(counts[-1].sum())
            if tell is not None:
                tell(done)
        idle = list(spare) if len(nats) - 1 < rounds else []
        for _ in range(len(nats) - 1, rounds):
            if stop is not None and stop():
                raise Abandoned
            for x_BT, y_BT, documents_BT, _ in idle:
                computed(x_BT, y_BT, documents_BT)
    return _held(torch.cat(nats), torch.cat(counts), torch.cat(losses))


_NONE = torch.zeros(0, dtype=torch.float64)


def _held(nats_W: Tensor, tokens_W: Tensor, losses_N: Tensor) -> Held:
    mean, tokens = float(nats_W.sum() / tokens_W.sum()), int(tokens_W.sum())
    return Held(mean, math.nan, tokens, nats_W, tokens_W, len(nats_W), losses_N)


def _joined(held: Held, mine: range, count: int, among: Among) -> Held:
    """Return the loss over the windows of all processes, of which `held` has those that are `mine`.

    What is added up is 0 in all processes but one, so that every number is the one that was measured.
    """
    nats_W, tokens_W = (among.total(_placed(part_W, mine.start, count)) for part_W in (held.nats_W, held.tokens_W))
    assert held.losses_N is not None
    first, every = int(tokens_W[: mine.start].sum()), int(tokens_W.sum())
    losses_N = among.total(_placed(held.losses_N, first, every)).to(held.losses_N.dtype)
    return _held(nats_W, tokens_W, losses_N)


def _placed(part: Tensor, first: int, size: int) -> Tensor:
    """Return zeros of this size, with `part` from `first` on."""
    whole = torch.zeros(size, dtype=torch.float64)
    whole[first : first + len(part)] = part
    return whole


def _losses(model: nn.Module, x_BT: Tensor, y_BT: Tensor, documents_BT: Tensor | None) -> Tensor:
    """Return each position's cross-entropy [B, T], by the model itself where it can do so without whole logits."""
    own = getattr(model, "losses", None)
    if callable(own):
        found: Tensor = own(x_BT, y_BT, documents_BT)
        return found
    return cross_entropy_BT(model(x_BT, documents_BT), y_BT)


def _in_parts(model: nn.Module) -> bool:
    """Return whether FSDP2 spreads `model` over processes, which then compute together or not at all."""
    return any(hasattr(part, "set_requires_gradient_sync") for part in model.modules())


def context_of(model: nn.Module) -> int:
    """Return how many tokens a window of `model` has, as it says itself. Raises `BadInput` where it does not."""
    context = getattr(model, "context", None)
    if not isinstance(context, int):
        raise BadInput(f"{type(model).__name__} does not say its context: give context= to evaluate.")
    return context
