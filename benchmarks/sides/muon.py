"""Muon: a momentum whose matrix is made nearly orthogonal before it is taken as a step.

Source: Jordan et al. 2024, Muon: An optimizer for hidden layers in neural networks; nanochat's weight decay, which is
that of Chen et al. 2025 (2510.12402).
"""

from __future__ import annotations

import torch
from torch import Tensor


def orthogonal(matrix: Tensor) -> Tensor:
    """Return a matrix with the same singular vectors and singular values near 1, by five steps of Newton and Schulz."""
    x = matrix / (matrix.norm() + 1e-7)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x.T if tall else x


class Muon:
    """Steps of ``lr sqrt(max(1, rows / columns))`` times the orthogonal form of Nesterov's momentum."""

    def __init__(self, matrices: list[Tensor], decay: float) -> None:
        self.matrices, self.decay = matrices, decay
        self.momenta = [torch.zeros_like(each) for each in matrices]

    @torch.no_grad()
    def step(self, lr: float, momentum: float) -> None:
        """Take a step; weights shrink by ``lr decay`` where the step makes them smaller as well."""
        for matrix, held in zip(self.matrices, self.momenta, strict=True):
            assert matrix.grad is not None
            held.lerp_(matrix.grad, 1 - momentum)
            taken = orthogonal(matrix.grad.lerp(held, momentum))
            taken *= max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5
            matrix.mul_(1 - lr * self.decay * (taken * matrix >= 0)).add_(taken, alpha=-lr)
