"""The midpoint rule over depth, whose activations are computed back.

Shapes: B batch, T position, D width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from ..nn import Factor
from ..stream import Connection, Couple, Reversible, Site, State, Stream
from .base import Form, Parts


class Steps(Reversible):
    """Two streams that can be computed back: opens (x, x), closes the newer one, then the norm.

    Args:
        norm: the norm behind the newer stream, or None.
    """

    def close(self, state: State) -> Tensor:
        x_BTD: Tensor = state.main[1]
        return x_BTD if self.norm is None else self.norm(x_BTD)


@dataclass(frozen=True)
class Midpoint(Form):
    """Midpoint: each sublayer leaps over the one before it, so that activations can be computed back in backward.

    Formula:
        x_1 = x_0 + F_1(Norm x_0), x_(l+1) = x_(l-1) + 2 F_(l+1)(Norm x_l); at the end Norm x_N

    It is the coupling of `reversible` with a branch that counts twice, and one stream, the newest, that is read at the
    end. Activations do not grow in memory with depth. Even and odd steps hang together by the branches alone. The paper
    chooses branches whose Jacobians have eigenvalues near the imaginary axis, for which the rule is stable; those of a
    Transformer have no such bound.

    Source:
        Chang et al. 2018 (1709.03698), the "midpoint" network; Gal et al. 2025 (2512.02056), equation 2.4, for language
        models. The step size is 1, and the first step is one of Euler's.
        Read: quoted: the equation, in notes on the second paper; nothing of the first.
        Differs: a step is a sublayer, where theirs is a block; they take steps of a size of their own.

    Example:
        >>> from mainstem import form
        >>> form.parse("midpoint")
        Midpoint()
    """

    def stream(self, sites: Sequence[Site]) -> Stream:
        return Steps(sites[0].norm.build(sites[0].width))

    def connection(self, site: Site) -> Connection:
        return Couple()

    def branch(self, site: Site, parts: Parts) -> Parts:
        return parts._replace(behind=(*parts.behind, Factor(2.0))) if site.write else parts
