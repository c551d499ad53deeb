"""A norm behind each sublayer, and none in front."""

from __future__ import annotations

from dataclasses import dataclass

from ..stream import Site
from .base import Form, Parts, norms_output, unnormed, zero_under_norm


@dataclass(frozen=True)
class OutputNorm(Form):
    """Output norm: the norm stands behind each sublayer instead of in front of it, but still inside the branch.

    Formula:
        x' = x + Norm(F(x)); behind the last sublayer, Norm x

    The norm divides by what F gives, so that small initial weights make large gradients: they start at Xavier's
    distribution, not at a standard deviation of 0.02 that fits a width in the thousands alone.

    Source:
        OLMo 2 (2501.00656), which normalises queries and keys as well
        (`model.qk_norm`); Liu et al. 2021 (2111.09883), "res-post-norm".
        Read: code of the authors (allenai/OLMo-core).
        Differs: Xavier's initial weights.

    Example:
        >>> from mainstem import form
        >>> form.OutputNorm().refuses("zero") is None  # as with the sandwich form
        False
    """

    def branch(self, site: Site, parts: Parts) -> Parts:
        return unnormed(parts)._replace(behind=(site.norm.build(site.width), *parts.behind))

    def init(self) -> str:
        return "xavier"

    def refuses(self, init: str) -> str | None:
        return zero_under_norm(init, "output_norm", self.init())

    def beside(self, other: Form) -> str | None:
        return "both put a norm directly behind the sublayer" if norms_output(other) else None
