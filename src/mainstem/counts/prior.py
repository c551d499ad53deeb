"""What stands beside the whole network, in probabilities: a value of `model.prior`.

A block adds a deviation to its input; here the network is the deviation, and counts are what passes around all of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta


@dataclass(frozen=True)
class Counts:
    """Kneser-Ney over the run's own tokens, mixed with the network after training by one share.

    Formula:
        ``log p(y | x) = log(w p_network(y | x) + (1 - w) p_counts(y | x))``, with the one share w that makes the
        held-out text likeliest. The network is trained without it.

    Args:
        order: tokens that counts look at; null: the best on the last tenth of the training text

    Source:
        Two models of a text, interpolated: Jelinek and Mercer 1980. That both are trained apart differs from MODLM
        (Neubig and Dyer 2016, arXiv 1606.00499), whose network says the share at each token.
        Read: abstract of MODLM; nothing of the first.
        Differs: one share, which is found after training.

    Example:
        >>> Counts(order=5)
        Counts(order=5)
    """

    order: Annotated[int, Meta(ge=0, le=31)] | None = None
