"""Pre-norm: x + F(norm x). May import its neighbours here."""

from __future__ import annotations

from dataclasses import dataclass

from .base import Form


@dataclass(frozen=True)
class PreNorm(Form):
    """x + F(Norm x), closed by a norm: the default, and what every other form is a change of.

    Source: Wang et al. 2019 (1906.01787); Xiong et al. 2020 (2002.04745), section 3.2.
    """
