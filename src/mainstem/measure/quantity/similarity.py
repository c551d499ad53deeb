"""How alike layers are."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor

from .base import Quantity, rows, wide


def cka(x_ND: Tensor, y_NE: Tensor) -> Tensor:
    """Return ``|Y'X|^2 / (|X'X| |Y'Y|)``, Frobenius norms, columns centred: linear CKA (1905.00414).

    Example:
        >>> x = torch.randn(8, 3, dtype=torch.float64)
        >>> round(float(cka(x, 5 * x @ torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64))[0])), 9)
        1.0
    """
    a, b = _gram(x_ND), _gram(y_NE)
    return (a * b).sum() / (a.norm() * b.norm()).clamp_min(torch.finfo(a.dtype).tiny)


def _gram(x_ND: Tensor) -> Tensor:
    centred = x_ND.to(wide(x_ND)) - x_ND.to(wide(x_ND)).mean(0)
    return centred @ centred.T


def _alike(a: Tensor, b: Tensor) -> float:
    """Return the similarity of two layers by their products, which may lie on different devices."""
    b = b.to(a.device)
    return float((a * b).sum() / (a.norm() * b.norm()).clamp_min(torch.finfo(a.dtype).tiny))


class Similarity(Quantity):
    """Linear CKA of the stream after each layer with the stream before it; `matrix` has every pair."""

    name = "similarity"
    title = "Similarity of layers"
    unit = "CKA"
    definition = "linear CKA of the stream before and after a layer, over at most 256 tokens"
    source = "1905.00414"
    cost = "one 256 x 256 product a layer, and one for each pair of layers"
    wants: ClassVar[frozenset[str]] = frozenset({"stream"})

    def begin(self) -> None:
        super().begin()
        self._grams: dict[str, Tensor] = {}

    @property
    def measured(self) -> bool:
        return len(self._grams) > 1

    def stream(self, name: str, before: list[Tensor], after: list[Tensor]) -> None:
        self._grams[name] = _gram(rows(after[0]))

    def result(self) -> dict[str, float]:
        names, found = list(self._grams), {}
        for earlier, name in pairwise(names):
            a, b = self._grams[earlier], self._grams[name]
            if a.shape == b.shape:
                found[name] = _alike(a, b)
        return found

    def matrix(self) -> list[list[float]]:
        """Return the similarity of every pair of layers of the last pass; nan where their tokens are not the same."""
        grams = list(self._grams.values())
        return [[_alike(a, b) if a.shape == b.shape else float("nan") for b in grams] for a in grams]
