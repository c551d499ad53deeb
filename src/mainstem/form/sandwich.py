"""A norm before and behind each sublayer."""

from __future__ import annotations

from dataclasses import dataclass

from ..stream import Site
from .base import Form, Parts, zero_under_norm


@dataclass(frozen=True)
class Sandwich(Form):
    """Sandwich norm: a second norm behind each sublayer, so that what a branch writes has one size.

    Formula:
        x' = x + Norm2(F(Norm1 x)); behind the last sublayer, Norm x

    Source:
        Ding et al. 2021 (2105.13290). Peri-LN of Kim et al. 2025 (2502.02732) normalises the embedding as
        well: not done here.
        Read: code of the authors (THUDM/CogView).
        Differs: no.

    Example:
        >>> from mainstem import form
        >>> form.Sandwich().refuses("zero") is None  # zero projections under a norm have a gradient of 1 / sqrt(eps)
        False
    """

    def branch(self, site: Site, parts: Parts) -> Parts:
        return parts._replace(behind=(site.norm.build(site.width), *parts.behind))

    def init(self) -> str:
        return "normal"

    def refuses(self, init: str) -> str | None:
        return zero_under_norm(init, "sandwich", self.init())
