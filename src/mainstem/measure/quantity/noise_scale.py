"""How large a batch is worth its cost."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from .base import Quantity, wide


def noise_scale(each: Tensor, whole: Tensor, batch: int) -> Tensor:
    """Return tr(S) / |G|^2 in samples, from the gradients of a batch and of each sample in it.

    Both parts are unbiased; their ratio is inf where |G|^2 is not positive: the batch is too small to tell.

    Formula:
        |G|^2 = (B whole - each) / (B - 1), tr(S) = (each - whole) / (1 - 1/B)

    Args:
        each: the mean of |g_b|^2 over the samples b.
        whole: |mean g_b|^2.
        batch: B.

    Source:
        McCandlish et al. 2018 (1812.06162), appendix A.1, with batches of 1 and B.

    Example:
        >>> noise_scale(torch.tensor(3.0), torch.tensor(2.0), 2)
        tensor(2.)
    """
    true = (batch * whole - each) / (batch - 1)
    spread = (each - whole) / (1 - 1 / batch)
    return torch.where(true > 0, spread / true.clamp_min(torch.finfo(true.dtype).tiny), float("inf"))


class NoiseScale(Quantity):
    """The gradient noise scale, from one backward pass.

    A sample is what lies at one place of the first axis of what the model and its linear layers are called with, or of
    the second one where layers of torch's with ``batch_first=False`` are called as the model is, and in layers that
    read [T, B, D] of a model called with [B, T]. A pass has no number where layers disagree in how many samples there
    are, as where tokens of all samples lie in one axis or are sent to several experts; `Watch.figure` then says which
    does. Positions that come first in somebody's own layers cannot be told from samples where there are as many, or
    where the model itself is called with [T, B]: the number is that of positions. The loss has to be a sum or a mean
    over samples, none of which depends on another one, as a batch norm lets it. A weight of several layers, or of one
    that is called several times, counts once; where it is an embedding's too, without what that adds to its gradient.
    """

    name = "noise_scale"
    title = "Gradient noise scale"
    unit = "samples"
    definition = "tr(S) / |G|^2 over the weights of all linear layers, from the gradients of single samples"
    source = "McCandlish et al. 2018 (1812.06162)"
    cost = "one product of input and gradient for each linear layer, about a third of a backward pass"
    wants: ClassVar[frozenset[str]] = frozenset({"linear"})
    by_depth = False
    log = True

    def begin(self) -> None:
        super().begin()
        self._each: list[Tensor] = []
        self._whole: list[Tensor] = []
        self._batch: int | None = None
        self._calls: dict[str, int] = {}
        self._parts: dict[str, list[tuple[Tensor, Tensor]]] = {}

    @property
    def measured(self) -> bool:
        return self._batch is not None

    def expect(self, name: str) -> None:
        self._calls[name] = self._calls.get(name, 0) + 1

    def linear(self, name: str, x: Tensor, gradient: Tensor) -> None:
        batch = len(x)
        if x.dim() < 2 or batch < 2 or self._batch not in (None, batch):
            return
        self._batch = batch
        g = gradient.detach() if gradient.dtype == torch.float64 else gradient.detach().float()
        parts = self._parts.setdefault(name, [])
        parts.append((x.detach().reshape(batch, -1, x.shape[-1]).float(), g.reshape(batch, -1, g.shape[-1])))
        if len(parts) >= self._calls.get(name, 1):
            self._add(self._parts.pop(name))

    def _add(self, parts: list[tuple[Tensor, Tensor]]) -> None:
        """Add a weight: the positions of all calls with it have one, of which a sample has one gradient."""
        x_BTD, g_BTF = (torch.cat(some, dim=1) for some in zip(*parts, strict=True))
        # A square of 1e-30 is 0 in float32, so that the largest number is 1 until all are summed.
        largest = torch.linalg.vector_norm(g_BTF, float("inf"))  # without a copy, as abs() would make
        largest = torch.where(largest > 0, largest, 1.0)
        g_BTF = (g_BTF / largest).float()
        # The loss is taken for a mean over the batch, so a sample's own gradient is B times its part. Whichever way
        # is shorter: the gradient itself, or the products of positions with each other.
        batch, length, size = len(x_BTD), x_BTD.shape[1], x_BTD.shape[2] * g_BTF.shape[2]
        if length * length < size:
            squares = ((x_BTD @ x_BTD.mT) * (g_BTF @ g_BTF.mT)).sum((1, 2))
        else:
            squares = torch.stack([(x_TD.T @ g_TF).square().sum() for x_TD, g_TF in zip(x_BTD, g_BTF, strict=True)])
        whole = x_BTD.flatten(0, 1).T @ g_BTF.flatten(0, 1)
        kind = wide(x_BTD)
        scale = largest.to(kind) ** 2
        self._each.append(squares.to(kind).mean() * batch**2 * scale)
        self._whole.append(whole.square().sum(dtype=kind) * scale)

    def result(self) -> dict[str, float]:
        if self._batch is None:
            return {}
        for name in [*self._parts]:  # of a layer that was called again, whose output nothing came back to
            self._add(self._parts.pop(name))
        each, whole = (torch.stack([one.cpu() for one in found]).sum() for found in (self._each, self._whole))
        return {"model": float(noise_scale(each, whole, self._batch))}
