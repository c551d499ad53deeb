"""LAuReL: a learned weight of branch and stream, and a low-rank map of the stream.

Shapes: B batch, T position, D width, r rank.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import BadInput
from ..nn import Linear
from ..stream import Connection, Site, State
from .base import Form


class LowRank(Connection):
    """Writes the branch and a linear map of the stream, each by a learned weight.

    Formula:
        x' = a F(x) + b (x + B A x); a and b are 2 sigmoid of a learned number, 1 at the start; B starts at 0

    Shapes:
        the state and x [B, T, D]; A [r, D], B [D, r]

    Args:
        width: D.
        rank: r.
    """

    def __init__(self, width: int, rank: int) -> None:
        super().__init__()
        self.down = Linear(width, rank)
        self.up = nn.Parameter(torch.zeros(width, rank))
        self.weight = nn.Parameter(torch.zeros(2))

    def roles(self) -> dict[str, str]:
        return {"up": "mix.dynamic", "weight": "scale"}

    def read(self, state: State) -> tuple[Tensor, None]:
        return state.main, None

    def write(self, state: State, y_BTD: Tensor, carry: Any) -> State:
        x_BTD: Tensor = state.main
        a, b = (2 * torch.sigmoid(self.weight)).to(x_BTD.dtype)
        mapped_BTD = x_BTD + self.down(x_BTD) @ self.up.T.to(x_BTD.dtype)
        return State(a * y_BTD + b * mapped_BTD, state.side)


@dataclass(frozen=True)
class LAuReL(Form):
    """LAuReL: the residual itself is learned, as a weight for each of its two sides and a map of low rank.

    Formula:
        x' = a F(Norm x) + b (x + B A x); at the end Norm x

    The paper keeps a and b within bounds by softmax or sigmoid; here each is 2 sigmoid of a number that starts at 0,
    and B starts at 0, so that it begins as pre-norm. A and B are decayed as matrices are. The version with earlier
    activations is not offered.

    Args:
        rank: r, at least 1.

    Raises:
        BadInput: where `rank` is below 1.

    Source:
        Menghani et al. 2024 (2411.07501), equation 5 (LAuReL-RW+LR).
        Read: paper, equations 3 and 5.
        Differs: how a and b are bounded, and that B starts at 0.

    Example:
        >>> from mainstem import form
        >>> form.parse({"name": "laurel", "rank": 4})
        LAuReL(rank=4)
    """

    rank: int = 16

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise BadInput(f"laurel needs a rank of at least 1, not {self.rank}: 16 is the paper's choice for ResNets.")
        super().__post_init__()

    def connection(self, site: Site) -> Connection:
        return LowRank(site.width, min(self.rank, site.width))
