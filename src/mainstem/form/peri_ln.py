"""Peri-LN: norms before and behind each sublayer, and of the embedding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from ..stream import Single, Site, State, Stream
from .base import Form, Parts, norms_output, zero_under_norm
from .sandwich import Sandwich


class NormedEmbedding(Single):
    """Opens with the norm of the embedded tokens; closes as the ordinary stream.

    Shapes:
        the state [B, T, D]

    Args:
        norm: the norm behind the last sublayer, or None.
        first: the norm of the embedding.
    """

    def __init__(self, norm: nn.Module | None, first: nn.Module) -> None:
        super().__init__(norm)
        self.first = first

    def open(self, x_BTD: Tensor) -> State:
        return super().open(self.first(x_BTD))


@dataclass(frozen=True)
class PeriLN(Form):
    """Peri-LN: the sandwich norm's branches on a normalised embedding, so that stream and writes begin at one size.

    Formula:
        x_0 = Norm0(embedding); x' = x + Norm2(F(Norm1 x)); behind the last sublayer, Norm x

    Source:
        Kim et al. 2025 (2502.02732), where the norm of the embedding is optional and that of the last output is not.
        The form `sandwich` is the same without the former.
        Read: paper, what it says of the norms.
        Differs: no.

    Example:
        >>> from mainstem import form
        >>> form.PeriLN().init()
        'normal'
    """

    def stream(self, sites: Sequence[Site]) -> Stream:
        site = sites[0]
        return NormedEmbedding(site.norm.build(site.width), site.norm.build(site.width))

    def branch(self, site: Site, parts: Parts) -> Parts:
        return Sandwich().branch(site, parts)

    def init(self) -> str:
        return Sandwich().init()

    def refuses(self, init: str) -> str | None:
        return zero_under_norm(init, "peri_ln", self.init())

    def beside(self, other: Form) -> str | None:
        return "both put a norm directly behind the sublayer" if norms_output(other) else None
