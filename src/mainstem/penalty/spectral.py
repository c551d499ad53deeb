"""The penalty on the largest singular value of each matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..errors import BadInput
from .base import Penalty

_MOST = 10000
"""Where the two largest singular values are a thousandth apart, so many find the largest to the last digit of float64;
where they are nearer, what is missed of it is less than a thousandth."""


@dataclass(frozen=True)
class Spectral(Penalty):
    """Spectral norm regularization: the square of the largest factor by which each matrix can stretch a vector.

    Formula:
        R(w) = coef * sum s^2, s the largest singular value; gradient 2 coef s u v^T

    s is found by steps of power iteration that begin anew each time, near the row of the largest norm, so there is no
    state that a stop could lose. It is never above the true one, and below it where the first two are close. A vector
    is a matrix of one row. It is no proximal step.

    Args:
        iterations: products with w^T w, from 1 to 10000.

    Raises:
        BadInput: `iterations` is out of its range.

    Source:
        Yoshida and Miyato, "Spectral norm regularization for improving the generalizability of deep learning" (2017,
        1705.10941), without the factor of one half.
        Read: nothing of the original.
        Differs: no factor of one half; power iteration begins anew each time.

    Example:
        >>> layer = torch.nn.Linear(2, 2, bias=False)
        >>> layer.weight.data = torch.diag(torch.tensor([3.0, 1.0]))
        >>> Spectral(0.5)(layer).item()
        4.5
    """

    elementwise: ClassVar[bool] = False
    proximable: ClassVar[bool] = False

    iterations: int = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.iterations < 1:
            raise BadInput(f"iterations {self.iterations} of Spectral find nothing: give at least 1.")
        if self.iterations > _MOST:
            raise BadInput(f"iterations {self.iterations} of Spectral find no more than {_MOST} do: give up to that.")

    def of(self, w: Tensor) -> Tensor:
        rows = w.reshape(1, -1) if w.dim() < 2 else w.flatten(1)
        with torch.no_grad():
            # A little of every direction: the largest row may be orthogonal to what several smaller ones share.
            every = torch.arange(rows.shape[1], dtype=torch.float32, device=rows.device).cos().to(rows.dtype)
            largest = rows[torch.linalg.vector_norm(rows, dim=1).argmax()]
            v = normalize(largest, dim=0) + 0.01 * normalize(every, dim=0)
            for _ in range(self.iterations):
                v = normalize(rows.t() @ (rows @ v), dim=0)
        return (rows @ v).square().sum()

    def prox(self, v: Tensor, lr: float, metric: Tensor | float = 1.0) -> Tensor:
        raise BadInput(f"{self!r} is no proximal step: use its loss.")
