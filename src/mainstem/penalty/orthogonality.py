"""The orthogonality penalty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ..errors import BadInput
from .base import Penalty


@dataclass(frozen=True)
class Orthogonality(Penalty):
    """Soft orthogonality: a matrix is drawn to one whose rows, or columns where those are fewer, are orthonormal.

    Formula:
        R(w) = coef * sum |w w^T - I|^2, or |w^T w - I|^2 where w has more rows than columns

    It is 0 where all singular values are 1, so it holds matrices at that size in place of shrinking them. A vector is a
    matrix of one row. It is no proximal step.

    Source:
        Bansal, Chen and Wang, "Can we gain more from orthogonality regularizations in training deep CNNs?" (2018,
        1810.09102), soft orthogonality, of the shorter side.
        Read: code of the authors, which has the spectral version alone.
        Differs: the shorter side, where theirs is that of the columns.

    Example:
        >>> layer = torch.nn.Linear(2, 2, bias=False)
        >>> layer.weight.data = 2 * torch.eye(2)
        >>> Orthogonality(0.5)(layer).item()
        9.0
    """

    elementwise: ClassVar[bool] = False
    proximable: ClassVar[bool] = False
    shrinks: ClassVar[bool] = False

    def of(self, w: Tensor) -> Tensor:
        rows = w.reshape(1, -1) if w.dim() < 2 else w.flatten(1)
        rows = rows.t() if rows.shape[0] > rows.shape[1] else rows
        eye = torch.eye(rows.shape[0], dtype=rows.dtype, device=rows.device)
        return (rows @ rows.t() - eye).square().sum()

    def prox(self, v: Tensor, lr: float, metric: Tensor | float = 1.0) -> Tensor:
        raise BadInput(f"{self!r} is no proximal step: use its loss.")
