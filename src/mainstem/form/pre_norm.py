"""Pre-norm: x + F(norm x)."""

from __future__ import annotations

from dataclasses import dataclass

from .base import Form


@dataclass(frozen=True)
class PreNorm(Form):
    """Pre-norm, the default: the norm stands in front of each sublayer, and the stream itself is never normalised.

    Formula:
        x' = x + F(Norm x); behind the last sublayer, Norm x

    Source:
        Wang et al. 2019 (1906.01787); Xiong et al. 2020 (2002.04745), section 3.2.
        Read: quoted by Sun et al. 2025 (2502.05795).
        Differs: no.

    Example:
        >>> from mainstem import form
        >>> form.parse("pre_norm") == form.PreNorm()
        True
    """
