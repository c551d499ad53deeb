"""What scoring a text by counts gives, and which orders there can be.

Shapes: N tokens that are scored, K the highest order that was tried.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import BadInput

KEY_BITS, KEY_TOKENS = 128, 32
"""A context and the token behind it are compared as one number of so many bits, and of so many tokens at most."""


class Scored(NamedTuple):
    """Natural logarithms of probabilities [N] by counts of `order`: by the counted text, and by all that came before.

    `adaptive` is None where it was not asked for. `by_order` [K + 1] has the nats per token of each order on the part
    by which the order was chosen, nan where that has no token; `discounts` [K + 1, 3] what orders 0 to `order` take off
    a count of 1, of 2, and of 3 and more.
    """

    order: int
    frozen: NDArray[np.float64]
    adaptive: NDArray[np.float64] | None
    by_order: NDArray[np.float64]
    discounts: NDArray[np.float64]


def highest(vocab: int) -> int:
    """Return the highest order that a vocabulary of `vocab` tokens leaves room for.

    Example:
        >>> highest(65), highest(256), highest(4096)
        (17, 15, 9)
    """
    bits = max(1, (vocab - 1).bit_length())
    return min(KEY_TOKENS, KEY_BITS // bits) - 1


def check_order(order: int, vocab: int, what: str = "An order of") -> None:
    """Raise `BadInput` where no context of `order` tokens and its next fit into a key; `what` begins the sentence."""
    if not 0 <= order <= highest(vocab):
        raise BadInput(
            f"{what} {order} is not one of 0 to {highest(vocab)}, for which a vocabulary of {vocab} leaves room: give "
            "one of these."
        )
