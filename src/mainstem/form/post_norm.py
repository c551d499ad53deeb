"""Post-norm, as the textbook draws it: Norm(x + F(x)). May import its neighbours here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from ..stream import Connection, Single, Site, State, Stream
from .base import Form, Parts


class NormAfter(Connection):
    """x' = Norm(alpha x + F(x)): the norm stands on the stream itself, behind the sum. [B, T, D]."""

    def __init__(self, norm: nn.Module, alpha: float = 1.0) -> None:
        super().__init__()
        self.norm, self.alpha = norm, alpha

    def read(self, state: State) -> tuple[Tensor, None]:
        return state.main, None

    def write(self, state: State, y_BTD: Tensor, carry: Any) -> State:
        x_BTD = state.main if self.alpha == 1.0 else self.alpha * state.main
        return State(self.norm(x_BTD + y_BTD), state.side)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha:g}"


@dataclass(frozen=True)
class PostNorm(Form):
    """Norm(x + F(x)), with no norm behind the last: deep stacks of it need a warm-up.

    Source: Vaswani et al. 2017 (1706.03762), section 3.1; the textbook's 7.4.2 and 7.4.4.
    """

    def stream(self, sites: Sequence[Site]) -> Stream:
        return Single()

    def connection(self, site: Site) -> Connection:
        return NormAfter(site.norm.build(site.width))

    def branch(self, site: Site, parts: Parts) -> Parts:
        return parts._replace(before=())

    def init(self) -> str:
        return "xavier"
