"""The embedding, put into the stream again before each block.

Shapes: B batch, T position, D width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .. import ops
from ..stream import Add, Connection, Single, Site, State, Stream
from .base import Form, Multipliers


class WithEmbedding(Single):
    """Opens with the normalised embedding, which travels beside the stream under the name x0.

    Formula:
        x0 = x / rms(x)
    """

    stands_alone = False

    def open(self, x_BTD: Tensor) -> State:
        x0_BTD = ops.rms_norm(x_BTD, None, 1e-6)
        return State(x0_BTD, {"x0": x0_BTD})


class Reinject(Connection):
    """Mixes the embedding into the stream, then adds: both the branch and the stream see the new x.

    Formula:
        x <- a x + b x0; x' = x + F(x)

    Shapes:
        the state [B, T, D]

    Args:
        keep: a at the start.
        inject: b at the start.
    """

    def __init__(self, keep: float, inject: float) -> None:
        super().__init__()
        self.keep = nn.Parameter(torch.tensor([float(keep)]))
        self.inject = nn.Parameter(torch.tensor([float(inject)]))

    def roles(self) -> dict[str, str]:
        return {"keep": "reinjection.keep", "inject": "reinjection.inject"}

    def read(self, state: State) -> tuple[Tensor, Tensor]:
        x_BTD = self.keep.to(state.main.dtype) * state.main + self.inject.to(state.main.dtype) * state.side["x0"]
        return x_BTD, x_BTD

    def write(self, state: State, y_BTD: Tensor, carry: Tensor | Any) -> State:
        return State(carry + y_BTD, state.side)

    def stream(self) -> Stream:
        return WithEmbedding()


@dataclass(frozen=True)
class Reinjection(Form):
    """Re-injection: before each block the stream is mixed anew with the normalised embedding.

    Formula:
        x <- a x + b x0, x0 = embedding / rms(embedding); then the block as with pre-norm

    a and b are learned, one pair a block, without weight decay. a compounds over the blocks, so its learning rate is a
    hundredth of b's.

    Args:
        keep: a at the start.
        inject: b at the start.

    Source:
        Karpathy, nanochat (2026), whose first version has a = 1 and b = 0; slowrun starts from 1 and 0.1, as here.
        Read: code of nanochat and slowrun.
        Differs: no: the starts are slowrun's.

    Example:
        >>> from mainstem import form
        >>> from mainstem.stream import sites
        >>> form.Reinjection().multipliers("reinjection.keep", sites(("attention",), 1, 8)[0], hidden=True)
        Multipliers(lr=0.01, decay=1.0, eps=1.0)
    """

    keep: float = 1.0
    inject: float = 0.1

    def stream(self, sites: Sequence[Site]) -> Stream:
        return WithEmbedding(sites[0].norm.build(sites[0].width))

    def connection(self, site: Site) -> Connection:
        return Reinject(self.keep, self.inject) if site.first_in_block else Add()

    def multipliers(self, role: str, site: Site, hidden: bool) -> Multipliers:
        return Multipliers(lr=0.01) if role == "reinjection.keep" else Multipliers()
