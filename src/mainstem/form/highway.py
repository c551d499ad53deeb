"""Highway: a gate decides how much is written, and how much stays.

Shapes: B batch, T position, D width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..nn import Linear
from ..stream import Connection, Site, State
from .base import Form


class Gate(Connection):
    """Writes a mixture of the stream and the branch, by a gate that is computed from the stream.

    Formula:
        x' = g F(x) + (1 - g) x, g = sigmoid(W x + b), each channel by itself

    Shapes:
        the state, x and g [B, T, D]; W [D, D], b [D]

    Args:
        width: D.
        start: every element of b at the start.
    """

    def __init__(self, width: int, start: float) -> None:
        super().__init__()
        self.gate = Linear(width, width)
        self.bias = nn.Parameter(torch.full((width,), float(start)))

    def roles(self) -> dict[str, str]:
        return {"bias": "bias"}

    def read(self, state: State) -> tuple[Tensor, None]:
        return state.main, None

    def write(self, state: State, y_BTD: Tensor, carry: Any) -> State:
        x_BTD: Tensor = state.main
        g_BTD = torch.sigmoid(self.gate(x_BTD) + self.bias.to(x_BTD.dtype))
        return State(x_BTD + g_BTD * (y_BTD - x_BTD), state.side)


@dataclass(frozen=True)
class Highway(Form):
    """Highway: a gate for each channel, computed from the stream, chooses between the branch and what was there.

    Formula:
        x' = g F(Norm x) + (1 - g) x, g = sigmoid(W x + b)

    b starts at -2, between the examples of the paper, -1 and -3, so that at first most of the stream is carried on. The
    paper has no norm; here the branch begins with pre-norm's, and one stands at the end. W, a matrix for each sublayer,
    is decayed as matrices are, and b is not.

    Args:
        start: every element of b at the start; negative.

    Source:
        Srivastava et al. 2015 (1505.00387), equation 3, and section 2.2 for a negative b.
        Read: paper, equation 3 and section 2.2.
        Differs: pre-norm's norms; -2 lies between the paper's examples.

    Example:
        >>> from mainstem import form
        >>> form.parse("highway")
        Highway(start=-2.0)
    """

    start: float = -2.0

    def connection(self, site: Site) -> Connection:
        return Gate(site.width, self.start)
