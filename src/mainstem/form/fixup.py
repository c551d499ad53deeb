"""Fixup: no norms; initial weights that keep the first steps small.

Shapes: B batch, T position, D width, N sublayers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from ..nn import FeedForwardSpec, Scale, Shift, ShiftSpec
from ..stream import Single, Site, State, Stream
from .base import Form, Parts, norms_output, reads_normed, unnormed
from .deep_delta import DeepDelta
from .layer_scale import LayerScale

MATRICES = {"attention.query": 4, "attention.key": 4, "attention.value": 4, "feedforward.in": 2}
"""How many matrices the branch has of which one is in front of the last; a gate beside another is not counted."""

LAST = frozenset({"attention.out", "feedforward.out", "head"})


class Shifted(Single):
    """The ordinary stream, to which one learned number is added at the end, in place of a norm.

    Formula:
        y = x + b

    Shapes:
        the state [B, T, D]; b [1]
    """

    def __init__(self) -> None:
        super().__init__()
        self.shift = Shift()

    def close(self, state: State) -> Tensor:
        x_BTD: Tensor = self.shift(super().close(state))
        return x_BTD


@dataclass(frozen=True)
class Fixup(Form):
    """Fixup: residual learning without norms, by initial weights of branches that a step changes as little as a norm.

    Formula:
        x' = x + a F(x + b), a = 1 and b = 0 at the start; behind the last sublayer, x + b
        in the feed-forward sublayer, F(x) = W2 (phi(W1 x + b1) + b2), b1 = b2 = 0 at the start

        The last matrix of each branch starts at 0, and so does a head of its own. The others of a branch with m
        matrices start at Xavier's times N^(-1 / (2 m - 2)), N sublayers: m is 4 for attention, 2 for feed-forward.

    Every a, b, b1 and b2 is one number, not decayed. A gate of the feed-forward sublayer keeps Xavier's weights, and
    b1 is added to what the activation is applied to. Norms of queries and keys are the model's own matter
    (`model.qk_norm`). The authors' code draws from Xavier's uniform distribution; here it is the normal one.

    Source:
        Zhang et al. 2019 (1901.09321), section 3, rules 1 to 3, with `transformer_zero.py` of the authors' code.
        Read: code of the authors.
        Differs: Xavier's normal distribution in place of the uniform one; what is said of a gate.

    Example:
        >>> from mainstem import form
        >>> from mainstem.stream import sites
        >>> place = sites(("attention", "feedforward"), 8, 4)[0]
        >>> [form.Fixup().init_scale(place, of) for of in ("feedforward.in", "feedforward.out")]
        [0.25, 0.0]
    """

    def stream(self, sites: Sequence[Site]) -> Stream:
        return Shifted()

    def branch(self, site: Site, parts: Parts) -> Parts:
        parts, spec = unnormed(parts), parts.sublayer
        if isinstance(spec, FeedForwardSpec):
            spec = spec.having("preactivation", ShiftSpec()).having("hidden", ShiftSpec())
        return parts._replace(before=(Shift(), *parts.before), sublayer=spec, behind=(*parts.behind, Scale(1.0)))

    def init(self) -> str:
        return "xavier"

    def init_scale(self, site: Site, role: str) -> float:
        if role in LAST:
            return 0.0
        matrices = MATRICES.get(role, 0)
        return float(site.sublayers ** (-1 / (2 * matrices - 2))) if matrices else 1.0

    def beside(self, other: Form) -> str | None:
        if norms_output(other) or isinstance(other, DeepDelta):
            return "fixup's branches write zeros at first, which the other one brings to a size or a direction"
        if not reads_normed(other):
            return "fixup does without norms, and the other one puts them elsewhere"
        return "both put a learned factor behind the sublayer" if isinstance(other, LayerScale) else None
