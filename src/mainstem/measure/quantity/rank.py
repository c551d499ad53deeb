"""How many directions the stream uses."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from .base import Quantity, rows, wide


def singular_values(matrix: Tensor) -> Tensor:
    """Return the singular values of a matrix, by the smaller of its two products, in float64; noise is 0."""
    wider = matrix.to(wide(matrix))
    gram = wider @ wider.T if len(wider) <= wider.shape[1] else wider.T @ wider
    values = torch.linalg.eigvalsh(gram)
    noise = len(gram) * torch.finfo(values.dtype).eps * values.amax()
    return torch.where(values > noise, values, 0.0).sqrt()


def effective_rank(sigma: Tensor) -> Tensor:
    """Return ``exp(-sum p ln p), p = sigma / sum sigma``.

    Example:
        >>> round(float(effective_rank(torch.tensor([3.0, 1.0, 1.0]).double())), 6)
        2.586409
    """
    share = sigma / sigma.sum().clamp_min(torch.finfo(sigma.dtype).tiny)
    return torch.special.entr(share).sum().exp()


def stable_rank(sigma: Tensor) -> Tensor:
    """Return ``sum sigma^2 / sigma_1^2``.

    Example:
        >>> round(float(stable_rank(torch.tensor([3.0, 1.0, 1.0]).double())), 6)
        1.222222
    """
    return (sigma**2).sum() / (sigma.amax() ** 2).clamp_min(torch.finfo(sigma.dtype).tiny)


COLLAPSED = 1.5
"""Directions below which tokens have become one another."""


class EffectiveRank(Quantity):
    """The effective rank of the stream's tokens."""

    name = "effective_rank"
    title = "Effective rank of the stream"
    unit = "directions"
    normal: ClassVar[tuple[float, float] | None] = (COLLAPSED, float("inf"))
    definition = "exp(-sum p ln p), p = sigma / sum sigma, of at most 256 tokens of the stream"
    source = "Roy and Vetterli 2007"
    cost = "a copy of at most 256 tokens a layer; the eigenvalues of their products, where the number is looked at"
    wants: ClassVar[frozenset[str]] = frozenset({"stream"})

    def begin(self) -> None:
        super().begin()
        self._samples: dict[str, Tensor] = {}
        self.tokens: dict[str, int] = {}
        """Of how many tokens each number is: a layer may return that of the class alone."""

    @property
    def measured(self) -> bool:
        return bool(self._samples) or super().measured

    def stream(self, name: str, before: list[Tensor], after: list[Tensor]) -> None:
        # A copy, as the stream may be changed in place; its rank is computed when somebody asks for it.
        sample = rows(after[0])
        self._samples[name] = torch.empty_like(sample).copy_(sample)
        self.tokens[name] = len(sample)

    def result(self) -> dict[str, float]:
        for name in [*self._samples]:
            sample = self._samples.pop(name)
            if sample.isfinite().all():
                self.note(name, self.of(singular_values(sample)))
        return super().result()

    def of(self, sigma: Tensor) -> Tensor:
        """Return the rank that these singular values have."""
        return effective_rank(sigma)


class StableRank(EffectiveRank):
    """The stable rank of the stream's tokens: 1 where one direction outweighs the others."""

    name = "stable_rank"
    normal = None
    title = "Stable rank of the stream"
    definition = "sum sigma^2 / sigma_1^2 of at most 256 tokens of the stream"
    source = "Rudelson and Vershynin 2007"

    def of(self, sigma: Tensor) -> Tensor:
        return stable_rank(sigma)
