"""Post-norm, as the textbook says in 7.4.4: Norm(x + F(x))."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from ..stream import Connection, Single, Site, State, Stream
from .base import Form, Parts, unnormed


class NormAfter(Connection):
    """Adds to the stream, then normalises the stream itself.

    Formula:
        x' = Norm(alpha x + F(x))

    Shapes:
        the state and x [B, T, D]

    Args:
        norm: the module that normalises the sum.
        alpha: the factor on the stream; 1 for post-norm, more for DeepNorm.
    """

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
    """Post-norm, as the first Transformer and the textbook have it: the norm stands on the stream, behind each sum.

    Formula:
        x' = Norm(x + F(x)), with no norm behind the last

    Deep stacks of it need a warm-up.

    Source:
        Vaswani et al. 2017 (1706.03762), section 3.1; the textbook's 7.4.4.
        Read: quoted by Chen and Wei 2026 (2601.19895), equation 10.
        Differs: no.

    Example:
        >>> from mainstem import form
        >>> form.PostNorm().init()
        'xavier'
    """

    def stream(self, sites: Sequence[Site]) -> Stream:
        return Single()

    def connection(self, site: Site) -> Connection:
        return NormAfter(site.norm.build(site.width))

    def branch(self, site: Site, parts: Parts) -> Parts:
        return unnormed(parts)

    def init(self) -> str:
        return "xavier"
