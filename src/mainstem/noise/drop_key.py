"""DropKey: keys that a query does not see."""

from __future__ import annotations

from dataclasses import dataclass

from .bernoulli import Bernoulli, How


@dataclass(frozen=True)
class DropKey(Bernoulli):
    """Hide keys from a query before the softmax, so that the weights of the others still sum to 1.

    Formula:
        softmax(q k^T / sqrt K + m), m = -infinity with the probability rate, else 0, for each query, key and head

    A position's own key is never hidden, so that no row is empty. Keys are drawn for each query by itself, and what is
    left is not scaled. The paper lowers the rate over the depth, which ``Rate(0.1, depth="falling")`` does, and trains
    a little without it in the end; here the rate is the same in every layer unless that is said.

    Source:
        Li et al. 2022 (2208.02646), equations 13 and 14.
        Read: a summary of the paper with its equations.
        Differs: a position's own key stays; the rate is the same in every layer by default.

    Example:
        >>> import torch
        >>> from mainstem import noise
        >>> hide = noise.bind(torch.nn.ModuleDict({"a": DropKey(1.0).build()}))["a"]
        >>> with noise.counter(seed=0, step=0, samples=[0]):
        ...     hide(torch.zeros(1, 1, 2, 2))[0, 0]
        tensor([[0., -inf],
                [-inf, 0.]])
    """

    at: str = "attention.logits"
    how: How = "minus_inf"
