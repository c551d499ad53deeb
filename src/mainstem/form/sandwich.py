"""A norm before and behind each sublayer. May import its neighbours here."""

from __future__ import annotations

from dataclasses import dataclass

from ..stream import Site
from .base import Form, Parts


@dataclass(frozen=True)
class Sandwich(Form):
    """x + Norm2(F(Norm1 x)): what a branch writes has one size, whatever its weights do.

    Source: Ding et al. 2021 (2105.13290), sandwich norm; Kim et al. 2025 (2502.02732), Peri-LN, which normalises the
    embedding as well: not done here.
    """

    def branch(self, site: Site, parts: Parts) -> Parts:
        return parts._replace(behind=(site.norm.build(site.width), *parts.behind))

    def init(self) -> str:
        return "normal"

    def refuses(self, init: str) -> str | None:
        if init == "zero":
            return (
                "zero-initialised projections under an output norm have a gradient of 1/sqrt(eps), a thousandfold, "
                "at the first step: use model.init normal with the sandwich form"
            )
        return None
