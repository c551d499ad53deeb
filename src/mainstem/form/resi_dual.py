"""ResiDual: a post-norm stream and a pre-norm one beside it.

Shapes: B batch, T position, D width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from ..errors import BadInput
from ..stream import Connection, Single, Site, State, Stream
from .base import Form, Parts, unnormed


class Dual(Single):
    """Opens (x, c x), a post-norm stream and a pre-norm one; closes post + Norm(pre).

    Shapes:
        the state (post, pre), each [B, T, D]

    Args:
        norm: the norm of the pre-norm stream.
        share: c.
    """

    stands_alone = False

    def __init__(self, norm: nn.Module | None, share: float) -> None:
        super().__init__(norm)
        self.share = share

    def open(self, x_BTD: Tensor) -> State:
        return State((x_BTD, self.share * x_BTD), {})

    def close(self, state: State) -> Tensor:
        post_BTD, pre_BTD = state.main
        return post_BTD + super().close(State(pre_BTD, state.side))


class AddToBoth(Connection):
    """Reads the post-norm stream and adds to both; the former is normalised, the latter is not.

    Formula:
        post' = Norm(post + F(post)); pre' = pre + c F(post)

    Args:
        norm: the norm of the sum.
        share: c.
    """

    def __init__(self, norm: nn.Module, share: float) -> None:
        super().__init__()
        self.norm, self.share = norm, share

    def read(self, state: State) -> tuple[Tensor, None]:
        return state.main[0], None

    def write(self, state: State, y_BTD: Tensor, carry: Any) -> State:
        post_BTD, pre_BTD = state.main
        return State((self.norm(post_BTD + y_BTD), pre_BTD + self.share * y_BTD), state.side)

    def stream(self) -> Stream:
        return Dual(None, self.share)

    def extra_repr(self) -> str:
        return f"share={self.share:g}"


@dataclass(frozen=True)
class ResiDual(Form):
    """ResiDual: sublayers see a post-norm stream, and what they write is also summed up beside it, as with pre-norm.

    Formula:
        y = F(post); post' = Norm(post + y); pre' = pre + c y
        Both start as the embedding, pre times c; at the end stands post + Norm(pre).

    It keeps two arrays of the stream's size, and has as many norms as post-norm, and one more.

    Args:
        share: c, above 0; the authors take 1, and 0.05 on their largest text, against overflow in float16.

    Raises:
        BadInput: where `share` is not above 0.

    Source:
        Xie et al. 2023 (2304.14802); c is in the authors' code (`dec_res_input_norm_scale`).
        Read: code of the authors (microsoft/ResiDual).
        Differs: no.

    Example:
        >>> from mainstem import form
        >>> form.parse("resi_dual")
        ResiDual(share=1.0)
    """

    share: float = 1.0

    def __post_init__(self) -> None:
        if not self.share > 0:
            raise BadInput(f"resi_dual needs a share above 0, not {self.share}: 1 is the paper's choice.")
        super().__post_init__()

    def stream(self, sites: Sequence[Site]) -> Stream:
        return Dual(sites[0].norm.build(sites[0].width), self.share)

    def connection(self, site: Site) -> Connection:
        return AddToBoth(site.norm.build(site.width), self.share)

    def branch(self, site: Site, parts: Parts) -> Parts:
        return unnormed(parts)

    def init(self) -> str:
        return "xavier"
